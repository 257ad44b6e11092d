#!/usr/bin/env bats
# The program as a whole: help, unknown words, the programs beside it, and
# that --help, the manual pages and the completions name the same things.

load helper

man=$BATS_TEST_DIRNAME/../../man
completions=$BATS_TEST_DIRNAME/../../share/completions

commands() {
	pinfast --help | sed -n 's/^  \([a-z]\{2,\}\)  .*/\1/p'
}

# Those that this build has: without OpenSSL there is no pinfast-live.
built() {
	local c

	for c in $(commands); do
		[ -x "$(dirname "$PINFAST")/pinfast-live" ] ||
		    ! pinfast "$c" --help 2>&1 |
		    grep -q '^pinfast: cannot run pinfast-live' || continue
		echo "$c"
	done
}

# The options of a command's help, one a line.
options() {
	pinfast "$1" --help | sed -n '/^  -/{s/^  //;s/  .*//;p;}' |
	    tr ', ' '\n\n' | grep '^-' | sort -u
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "--version prints name and version" {
	run pinfast --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^pinfast\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "--help, -h and help print the commands and fit into 80 columns" {
	for word in --help -h help; do
		run pinfast $word
		gives 0 'usage: pinfast COMMAND' 'Exit status'
	done
	[ "$(pinfast --help | awk 'length > 80' | wc -l)" -eq 0 ]
	[ "$(commands | wc -l)" -ge 4 ]
}

@test "help COMMAND is COMMAND --help, and fits into 80 columns" {
	for c in $(built); do
		[ "$(pinfast help "$c")" = "$(pinfast "$c" --help)" ]
		run pinfast "$c" --help
		gives 0 "usage: pinfast $c" '--help'
		[ "$(pinfast "$c" --help | awk 'length > 80' | wc -l)" -eq 0 ]
	done
}

@test "no command is wrong usage" {
	run pinfast
	gives 2 'usage: pinfast COMMAND'
}

@test "a mistyped command is answered with the nearest one" {
	run pinfast lnit
	gives 2 'there is no command `lnit`; did you mean `lint`?'
	run pinfast pim
	gives 2 'did you mean `pin`?'
	run pinfast lin
	gives 2 'did you mean `lint`?'
	run pinfast compil
	gives 2 'did you mean `compile`?'
	run pinfast explian
	gives 2 'did you mean `explain`?'
	run pinfast help nothing
	gives 2 'there is no command `nothing`'
	[[ $output != *'did you mean'* ]]
}

@test "an unknown command cannot steer the terminal" {
	run pinfast "$(printf 'a\033[2J')"
	gives 2 'a\x1b[2J'
}

@test "an unknown option of each command is wrong usage" {
	for c in $(built); do
		run pinfast "$c" --nonsense
		gives 2 'no such option `--nonsense`' "pinfast $c --help"
	done
}

@test "an option whose value is missing is told from one that nobody knows" {
	for c in 'pin --chain' 'compile -o' 'lint --horizon' 'explain --time' \
	    'init --backup' 'keygen --csr' 'verify --chain' 'check --timeout'; do
		# shellcheck disable=SC2086 # two words
		run pinfast $c
		gives 2 "a value is missing behind \`${c#* }\`"
	done
}

@test "without pinfast-policy beside it the program says what is missing" {
	cp "$PINFAST" alone
	run env -u PINFAST_EXEC_PATH ./alone lint x
	[ "$status" -ne 0 ]
	[ "$status" -eq 3 ]
	says 'cannot run pinfast-policy'
}

@test "PINFAST_EXEC_PATH names where pinfast-policy is" {
	cp "$PINFAST" alone
	run env PINFAST_EXEC_PATH="$(dirname "$PINFAST")" ./alone lint --help
	gives 0 'usage: pinfast lint'
}

@test "PINFAST_EXEC_PATH is ignored by a program with more rights" {
	[ "$(id -u)" -eq 0 ] || skip 'only root can make such a program'
	command -v setpriv || skip 'no setpriv'
	place=$(mktemp -d)
	chmod 755 "$place"
	cp "$PINFAST" "$place/pinfast"
	mkdir "$place/other"
	printf '#!/bin/sh\necho stolen\n' >"$place/other/pinfast-policy"
	chmod 755 "$place/other" "$place/other/pinfast-policy"
	run env PINFAST_EXEC_PATH="$place/other" "$place/pinfast" lint x
	[ "$output" = stolen ]
	chmod 4755 "$place/pinfast"
	run env PINFAST_EXEC_PATH="$place/other" \
	    setpriv --reuid 65534 --clear-groups "$place/pinfast" lint x
	rm -r "$place"
	[ "$output" != stolen ]
	gives 3 'cannot run pinfast-policy'
}

@test "pinfast itself needs only the C library" {
	needed=$(readelf -d "$PINFAST" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
	    grep -v -e '^libc\.' -e '^ld-linux' -e '^lib[a-z]*san\.' || :)
	[ -z "$needed" ]
}

# ------------------------------------------- help, manual and completions

@test "the manual names every command" {
	for c in $(commands); do
		grep -q "^\\.It Cm $c\$" "$man/pinfast.1"
	done
	named=$(sed -n 's/^\.It Cm //p' "$man/pinfast.1" | sort)
	[ "$named" = "$(commands | sort)" ]
}

@test "every command's manual page names exactly the options of its help" {
	for c in $(built); do
		page=$man/pinfast-$c.1
		[ -e "$page" ] || continue
		named=$(sed -n 's/^\.It \(Fl .*\)/\1/p' "$page" |
		    grep -o 'Fl [a-z-]*' | sed 's/^Fl /-/' | sort -u)
		[ "$named" = "$(options "$c")" ] || {
			diff <(echo "$named") <(options "$c")
			return 1
		}
	done
}

@test "manual pages are free of mistakes" {
	command -v mandoc || skip 'no mandoc'
	mandoc -T lint -W warning "$man"/*.[135]
}

complete_bash() { # words; the last is what is completed
	bash -c '
		. "$0"
		COMP_WORDS=(pinfast "$@")
		COMP_CWORD=$#
		_pinfast
		printf "%s\n" "${COMPREPLY[@]}"' \
	    "$completions/bash/pinfast" "$@" | sort
}

@test "bash completes exactly the commands" {
	[ "$(complete_bash '')" = \
	    "$( (commands; printf '%s\n' help --help --version) | sort)" ]
}

@test "bash completes exactly the options of each command" {
	for c in $(built); do
		[ "$(complete_bash "$c" -)" = "$(options "$c")" ] || {
			diff <(complete_bash "$c" -) <(options "$c")
			return 1
		}
	done
}

@test "bash completes values and files" {
	touch a.pem
	[ "$(complete_bash pin --chain '')" = all ]
	[ "$(complete_bash compile --format '')" = "$(printf 'c\nstore')" ]
	[ "$(complete_bash pin a)" = a.pem ]
}

@test "zsh knows exactly the same commands and options" {
	file=$completions/zsh/_pinfast
	[ "$(sed -n "s/^	'\([a-z]*\):.*/\1/p" "$file" | sort)" = \
	    "$( (commands; echo help) | sort)" ]
	for c in $(built); do
		named=$(sed -n "/^$c)/,/;;/p" "$file" |
		    sed 's/\[[^]]*\]//g; s/([^)]*)//g' |
		    grep -oE -- "(^|[^a-z-])--?[a-z][a-z-]*" |
		    grep -oE -- '--?[a-z][a-z-]*' | sort -u)
		[ "$named" = "$(options "$c")" ] || {
			diff <(echo "$named") <(options "$c")
			return 1
		}
	done
}

@test "zsh reads its completion" {
	command -v zsh || skip 'no zsh'
	zsh -n "$completions/zsh/_pinfast"
}
