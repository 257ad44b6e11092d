#!/usr/bin/env bats
# `pinfast lint`, `compile` and `explain`, as a person runs them: what bad
# input gets, and what the exit status is.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	cat >policy.yaml <<END
pinfast: 1
serial: 7
hosts:
  - name: www.example.test
    subdomains: any
    leaf: [$(expected leaf.der), $(expected p384.der)]
  - { name: port.example.test, port: 8443, ca: [$(expected root.der),
      $(expected p384.der)], mode: report }
  - { name: free.example.test, mode: off }
END
	pinfast compile --quiet policy.yaml -o policy.store
}

# A value of explain's JSON: member, POLICY, HOST.
member() {
	pinfast explain "$2" "$3" | python3 -c '
import json, sys
v = json.load(sys.stdin)[sys.argv[1]]
print(" ".join(map(str, v)) if isinstance(v, list) else v)' "$1"
}

# Every command that takes a policy refuses it with these words.
all_refuse() { # policy, text
	run pinfast lint "$1"
	gives 3 "$1: " "$2"
	run pinfast compile "$1" -o new.store
	gives 3 "$1: " "$2"
	run pinfast explain "$1" www.example.test
	gives 3 "$1: " "$2"
	[ ! -e new.store ]
}

@test "a good policy: no words, status 0, and the store is made again" {
	run pinfast lint policy.yaml
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	pinfast compile --quiet policy.yaml -o again.store
	cmp policy.store again.store
	run pinfast compile policy.yaml -o again.store
	gives 0 'again.store: 4 entries' 'serial 7, digest '
}

@test "behind -- there are no more options" {
	cp policy.yaml ./--json
	pinfast lint -- --json
	pinfast compile --quiet -o again.store -- --json
	cmp policy.store again.store
	pinfast explain -- --json www.example.test | grep -q www.example.test
	run pinfast lint -- policy.yaml --strict
	gives 2 'one policy at a time, not also `--strict`'
}

@test "a policy from standard input" {
	pinfast compile --quiet - -o again.store <policy.yaml
	cmp policy.store again.store
}

@test "-o - is standard output, not a file that is called -" {
	pinfast compile policy.yaml -o - >again.store
	cmp policy.store again.store
	pinfast compile policy.yaml --format c -o - >again.c
	pinfast compile --quiet policy.yaml --format c -o other.c
	cmp again.c other.c
	[ ! -e ./- ]
	run sh -c "'$PINFAST' compile policy.yaml -o - >/dev/full"
	[ "$status" -eq 3 ]
	echo 'pinfast: 2' >bad.yaml
	run pinfast compile bad.yaml -o -
	[ "$status" -eq 3 ]
	[ "$(pinfast compile bad.yaml -o - 2>/dev/null | wc -c)" -eq 0 ]
}

# ---------------------------------------------------- files that are refused

@test "a store from standard input is not the file that is called -" {
	sed 's/www/other/' policy.yaml >other.yaml
	pinfast compile --quiet other.yaml -o other.store
	cp policy.store ./-
	pinfast explain - www.example.test <other.store >answer
	grep -q '"lookup":"unlisted"' answer
	rm ./-
	pinfast explain - other.example.test <other.store >answer
	grep -q '"lookup":"listed"' answer
	head -c 200 other.store >cut.store
	run pinfast explain - other.example.test <cut.store
	[ "$status" -eq 3 ]
}

@test "a missing policy" {
	all_refuse nothing 'No such file'
}

@test "a folder as policy" {
	mkdir folder
	all_refuse folder 'is a directory, not a file'
}

@test "a device as policy" {
	all_refuse /dev/zero 'is a device, not a file'
}

@test "a pipe as policy is not waited for" {
	mkfifo pipe
	all_refuse pipe 'is a pipe, not a file'
}

@test "a policy that anybody may write" {
	chmod o+w policy.yaml policy.store
	all_refuse policy.yaml 'run `chmod o-w` on it'
	all_refuse policy.store 'run `chmod o-w` on it'
}

@test "junk as policy" {
	cp "$CERTS/rsa.der" junk
	all_refuse junk 'is neither policy text nor a compiled policy'
}

@test "a policy text beyond 1 GiB" {
	truncate -s 1073741825 large.yaml
	all_refuse large.yaml 'is larger than the limit of 1073741824 bytes'
}

@test "a truncated store" {
	head -c 300 policy.store >cut.store
	all_refuse cut.store 'truncated'
}

@test "a store with a changed byte" {
	size=$(stat -c %s policy.store)
	for at in 9 60 120 256 300 $((size - 1)); do
		python3 - "$at" <<'END'
import sys
data = bytearray(open("policy.store", "rb").read())
data[int(sys.argv[1])] ^= 0x10
open("bad.store", "wb").write(data)
END
		run pinfast explain bad.store www.example.test
		gives 3 'bad.store: '
	done
}

@test "an unreadable policy" {
	not_root
	chmod 644 policy.yaml
	pinfast lint policy.yaml
	chmod 0 policy.yaml
	all_refuse policy.yaml 'Permission denied'
}

# ------------------------------------------------------------ wrong policies

# A policy text: lint says 1, the others 3; nothing is written.
wrong() { # text that must be said
	run pinfast lint policy.yaml
	gives 1 "policy.yaml:" ": error: " "$1"
	run pinfast compile policy.yaml -o new.store
	gives 3 "policy.yaml:" "$1"
	[ ! -e new.store ]
	run pinfast explain policy.yaml www.example.test
	gives 3 "policy.yaml:" "$1"
	# Standard output is for JSON alone.
	[ -z "$(pinfast explain policy.yaml www.example.test 2>/dev/null)" ]
}

@test "an empty file" {
	: >policy.yaml
	wrong 'the policy is empty'
}

@test "an empty host list" {
	printf 'pinfast: 1\nhosts: []\n' >policy.yaml
	wrong '2:8: error: `hosts` is empty'
}

@test "no host list" {
	printf 'pinfast: 1\n' >policy.yaml
	wrong 'no `hosts`'
}

@test "the same name twice" {
	sed -i 's/free.example/www.example/' policy.yaml
	wrong 'two entries for the same name and port'
}

@test "64 pins are a set, 65 are not" {
	pins() {
		printf 'pinfast: 1\nhosts:\n  - name: a.example.test\n    leaf:\n'
		for i in $(seq "$1"); do
			printf '      - sha256/%s\n' "$(printf %s "$i" |
			    openssl dgst -sha256 -binary | openssl base64)"
		done
	}
	pins 64 >policy.yaml
	run pinfast lint policy.yaml
	[ "$status" -eq 0 ]
	pins 65 >policy.yaml
	wrong 'more than 64 pins'
}

@test "text that is no YAML" {
	printf 'pinfast: 1\n\thosts: [\n' >policy.yaml
	wrong 'policy.yaml:2:'
}

@test "another version of the format" {
	sed -i 's/pinfast: 1/pinfast: 2/' policy.yaml
	wrong 'policy.yaml:1:'
}

@test "a file name cannot steer the terminal" {
	name=$(printf 'a\033[2Jb.yaml')
	printf 'pinfast: 1\n' >"$name"
	run pinfast lint "$name"
	gives 1 'a\x1b[2Jb.yaml:'
}

# ------------------------------------------------------------------- explain

@test "explain names the entry, from text and from the store" {
	for p in policy.yaml policy.store; do
		[ "$(member lookup $p www.example.test:443)" = listed ]
		[ "$(member entry $p a.b.www.example.test)" = \
		    www.example.test ]
		[ "$(member leaf $p www.example.test)" = \
		    "$(expected leaf.der) $(expected p384.der)" ] ||
		    [ "$(member leaf $p www.example.test)" = \
			"$(expected p384.der) $(expected leaf.der)" ]
		[ "$(member lookup $p free.example.test)" = exempt ]
		[ "$(member lookup $p example.test)" = unlisted ]
		[ "$(member lookup $p port.example.test:443)" = unlisted ]
		[ "$(member effective-mode $p port.example.test:8443)" = \
		    report ]
	done
}

@test "explain knows every spelling of a host" {
	for host in WWW.Example.Test www.example.test. \
	    www.example.test.:443; do
		[ "$(member host policy.store "$host")" = www.example.test ]
	done
	[ "$(member host policy.store bücher.example.test)" = \
	    xn--bcher-kva.example.test ]
	[ "$(member port policy.store '[2001:DB8::1]:443')" = 443 ]
	[ "$(member host policy.store '[2001:DB8::1]:443')" = 2001:db8::1 ]
}

@test "explain says that an invalid host is denied" {
	for host in a..b .a a.. 127.1 0x7f.0.0.1 'a b' a@b a%b; do
		[ "$(member lookup policy.store "$host")" = invalid ]
		[ "$(member effective-mode policy.store "$host")" = deny ]
	done
}

@test "explain says where each rejected key is written" {
	leaf=$(expected leaf.der) root=$(expected root.der)
	rsa=$(expected rsa.der) p256=$(expected p256.der)
	p384=$(expected p384.der) ed=$(expected ed25519.der)
	cat >rejecting.yaml <<END
pinfast: 1
reject: [$root]
hosts:
  - { name: example.test, subdomains: any, mode: off, reject: [$rsa] }
  - { name: b.example.test, subdomains: any, port: 8443, mode: off,
      reject: [$rsa, $ed] }
  - { name: b.example.test, subdomains: any, mode: off, reject: [$p256] }
  - { name: a.b.example.test, leaf: [$leaf, $p384] }
  - { name: 192.0.2.7, mode: off, reject: [$ed] }
END
	from() {
		pinfast explain rejecting.yaml "$1" | python3 -c '
import json, sys
for o in json.load(sys.stdin)["reject-from"]:
    print(o["pin"], o["from"], *([o["scope"]] if "scope" in o else []))'
	}
	[ "$(from a.b.example.test:443 | sort)" = "$(printf '%s\n' \
	    "$root policy" "$rsa example.test any" \
	    "$p256 b.example.test any" | sort)" ]
	[ "$(from a.b.example.test:8443 | sort)" = "$(printf '%s\n' \
	    "$root policy" "$rsa example.test any" \
	    "$ed b.example.test:8443 any" | sort)" ]
	[ "$(from 192.0.2.7 | sort)" = "$(printf '%s\n' \
	    "$root policy" "$ed 192.0.2.7 exact" | sort)" ]
	[ "$(from unlisted.test)" = "$root policy" ]
}

@test "explain refuses a port that is none" {
	for port in 0 65536 x 1x -1 99999999999; do
		run pinfast explain policy.store "www.example.test:$port"
		gives 2 'a port is 1 to 65535'
	done
}

# --------------------------------------------------------- the command lines

@test "what is missing or too much is wrong usage" {
	run pinfast lint
	gives 2 'name a policy'
	run pinfast lint a b
	gives 2 'one policy at a time'
	run pinfast compile policy.yaml
	gives 2 'say -o STORE'
	run pinfast compile -o x
	gives 2 'name a policy'
	run pinfast explain policy.yaml
	gives 2 'name a policy and a host'
	run pinfast explain policy.yaml a b
	gives 2 'one policy and one host'
}

@test "values that are none are wrong usage" {
	run pinfast lint --horizon soon policy.yaml
	gives 2 '--horizon takes days'
	run pinfast lint --time tomorrow policy.yaml
	gives 2 '--time takes'
	run pinfast explain --time 2026-02-30 policy.yaml a
	gives 2 '--time takes'
	run pinfast compile --format elf policy.yaml -o x
	gives 2 '--format is store or c'
}

@test "--strict makes warnings fail" {
	sed -i "s|, $(expected p384.der)\\]|]|" policy.yaml
	run pinfast lint policy.yaml
	gives 0 'warning' '[no-backup-pin]'
	run pinfast lint --strict policy.yaml
	gives 1 '[no-backup-pin]'
}

@test "lint --json is JSON, with and without findings" {
	[ "$(pinfast lint --json policy.yaml)" = '[]' ]
	printf 'pinfast: 1\n' >bad.yaml
	[ "$(pinfast lint --json bad.yaml | python3 -c '
import json, sys
f = json.load(sys.stdin)[0]
print(f["file"], f["line"], f["level"], f["rule"])')" = \
	    'bad.yaml 1 error hosts' ]
}

@test "compile --format c gives an array that holds the store" {
	command -v cc || skip 'no compiler'
	pinfast compile --quiet --format c policy.yaml -o policy.c
	cat >dump.c <<'END'
#include <stdio.h>
extern const unsigned char pinfast_policy[];
extern const size_t pinfast_policy_len;
int main(void)
{
	return fwrite(pinfast_policy, 1, pinfast_policy_len, stdout) !=
	    pinfast_policy_len;
}
END
	cc -std=c99 -Wall -Wextra -Wpedantic -Werror dump.c policy.c -o dump
	./dump >again.store
	cmp policy.store again.store
}

# ------------------------------------------------------ time, ports, and help

@test "explain follows expiry and lapse" {
	for then in enforce report deny unpin; do
		cat >timed.yaml <<END
pinfast: 1
valid-until: 2027-06-01
on-lapse: report
hosts:
  - name: a.example.test
    leaf: [$(expected leaf.der), $(expected p384.der)]
    expires: 2027-05-01
    on-expiry: $then
END
		at() {
			pinfast explain timed.yaml a.example.test --time "$1" |
			    grep -o '"effective-mode":"[a-z]*"' | cut -d'"' -f4
		}
		[ "$(at 2027-04-30T23:59:59Z)" = enforce ]
		[ "$(at 2027-05-01)" = "$then" ]
		case $then in
		enforce) [ "$(at 2027-06-01)" = report ] ;;
		*) [ "$(at 2027-06-01)" = "$then" ] ;;
		esac
	done
}

@test "without a port explain shows every entry of the name" {
	cat >ports.yaml <<END
pinfast: 1
hosts:
  - { name: a.example.test, leaf: [$(expected leaf.der),
      $(expected p384.der)] }
  - { name: a.example.test, port: 8443, mode: report,
      leaf: [cert-sha256/$(openssl dgst -sha256 -binary \
	"$CERTS/leaf.der" | openssl base64), $(expected p384.der)] }
END
	[ "$(pinfast explain ports.yaml a.example.test | python3 -c '
import json, sys
print(*[(o["port"], o["mode"]) for o in json.load(sys.stdin)["by-port"]])')" \
	    = "(0, 'enforce') (8443, 'report')" ]
	[ "$(member mode ports.yaml a.example.test:8443)" = report ]
	[ "$(member mode ports.yaml a.example.test:9)" = enforce ]
	[[ $(member leaf ports.yaml a.example.test:8443) == *cert-sha256/* ]]
}

@test "lint --list-rules tells every rule once" {
	run pinfast lint --list-rules
	gives 0 'no-backup-pin' 'warning'
	[ "$(pinfast lint --list-rules | cut -d' ' -f1 | sort | uniq -d)" = '' ]
}

@test "pinfast-policy by its own name takes the same commands" {
	policy=${PINFAST_POLICY:-$(dirname "$PINFAST")/pinfast-policy}
	run "$policy" lint policy.yaml
	[ "$status" -eq 0 ]
	run "$policy"
	gives 2 'is started by pinfast'
	run "$policy" nonsense
	gives 2 'is started by pinfast'
}

@test "a symbolic link as output is replaced, what it names is not" {
	printf kept >precious
	ln -s precious link.store
	pinfast compile --quiet policy.yaml -o link.store
	[ ! -L link.store ]
	cmp policy.store link.store
	[ "$(cat precious)" = kept ]
	ln -s nowhere dangling.store
	pinfast compile --quiet policy.yaml -o dangling.store
	cmp policy.store dangling.store
	[ ! -e nowhere ]
}

@test "a full disk is told" {
	[ -c /dev/full ] || skip 'no /dev/full'
	for line in 'explain policy.yaml a.example' 'lint --list-rules'; do
		run sh -c "'$PINFAST' $line >/dev/full"
		gives 3 'could not be written'
	done
}
