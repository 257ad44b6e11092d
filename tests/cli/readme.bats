#!/usr/bin/env bats
# The README's terminal session is a real one.

load helper

readme=$BATS_TEST_DIRNAME/../../README.md

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	for c in leaf intermediate root; do
		pem CERTIFICATE "$CERTS/$c.der"
	done >chain.pem
	# The second fenced block.
	awk '/^```/ {n++; next} n == 3' "$readme" >session
	awk '/^\$ / {on = /^\$ cat policy/; next} on && NF' session >policy.yaml
}

# What the README shows behind a command.
shown() {
	awk -v want="\$ $1" '/^\$ / {on = $0 == want; next} on && NF' session
}

@test "each command of the session says what the README shows" {
	count=0
	while read -r line; do
		[ "$line" != 'cat policy.yaml' ] || continue
		# shellcheck disable=SC2086
		$line >said 2>&1
		shown "$line" >wanted
		[ -s wanted ]
		paste -d '\n' wanted said >both
		while read -r want && read -r got; do
			# Three dots stand for what was cut.
			case $want in
			*...*)
				want=${want%%...*}
				got=${got:0:${#want}}
				;;
			esac
			[ "$want" = "$got" ] || {
				printf '%s\n%s\n' "$want" "$got"
				return 1
			}
		done <both
		[ "$(wc -l <said)" -eq "$(wc -l <wanted)" ]
		count=$((count + 1))
	done < <(sed -n 's/^\$ //p' session)
	[ "$count" -eq 4 ]
}

@test "the first screen holds the two commands" {
	head -n 12 "$readme" | grep -q '^make demo'
	head -n 12 "$readme" | grep -q '^make check'
}

@test "every file that the README names is there" {
	cd "$BATS_TEST_DIRNAME/../.."
	for f in $(grep -oE '`(man|include|tools|tests)/[a-z0-9./-]+`' README.md |
	    tr -d '`'); do
		[ -e "$f" ] || { echo "$f"; return 1; }
	done
}

@test "make install goes below DESTDIR, said before or behind" {
	cd "$BATS_TEST_DIRNAME/../.."
	# A make above this one would tell of its own variables.
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES
	DESTDIR=/below make -n install | grep -q 'DESTDIR=/below meson install'
	make -n install DESTDIR=/below | grep -q 'DESTDIR=/below meson install'
}
