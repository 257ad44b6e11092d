#!/usr/bin/env bats
# `pinfast keygen`: the pin is the one that others compute, and no key is ever
# lost or half there.

load helper

: "${NTH:=$(dirname "$PINFAST")/tests/tools/nth}"

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a key, its pin as openssl computes it, for its owner alone" {
	umask 0
	run pinfast keygen new.key
	gives 0
	[ "$output" = "$(openssl pkey -in new.key -pubout |
	    pin_by_openssl)" ]
	[ "$output" = "$(pinfast pin --plain new.key)" ]
	[ "$(stat -c %a new.key)" = 600 ]
	[ "$(head -n 1 new.key)" = '-----BEGIN PRIVATE KEY-----' ]
	openssl pkey -in new.key -noout -text | grep -q 'NIST CURVE: P-256'
	[ "$(ls)" = new.key ]
}

@test "every type" {
	for type in p256 ec p384 rsa rsa2048 rsa3072 rsa4096 ed25519; do
		run pinfast keygen "$type.key" --type "$type"
		gives 0
		[ "$output" = "$(openssl pkey -in "$type.key" -pubout |
		    pin_by_openssl)" ]
	done
	openssl pkey -in rsa.key -noout -text | grep -q '3072 bit'
	openssl pkey -in p384.key -noout -text | grep -q 'P-384'
	openssl pkey -in ed25519.key -noout -text | grep -q ED25519
}

@test "two keys are not the same" {
	first=$(pinfast keygen one.key)
	second=$(pinfast keygen two.key)
	[ -n "$first" ] && [ "$first" != "$second" ]
}

@test "JSON names file, type and pin" {
	run pinfast keygen --json --type=p384 new.key
	gives 0
	python3 -c '
import json, sys
v = json.loads(sys.argv[1])
assert v == {"file": "new.key", "type": "p384", "pin": sys.argv[2]}, v' \
	    "$output" "$(pinfast pin --plain new.key)"
}

@test "a request made with it has its pin" {
	pin=$(pinfast keygen new.key)
	openssl req -new -key new.key -subj / \
	    -addext subjectAltName=DNS:a.example.test -out new.csr
	[ "$(pinfast pin --plain new.csr)" = "$pin" ]
}

@test "a request for hosts, that check takes" {
	for type in p256 rsa2048 ed25519; do
		run pinfast keygen $type.key --type $type --csr $type.csr \
		    WWW.example.test '*.a.test' 192.0.2.7 2001:db8::1
		gives 0
		[ "$output" = "$(pinfast pin --plain $type.csr)" ]
		openssl req -in $type.csr -noout -verify
		[ "$(openssl req -in $type.csr -noout -text |
		    sed -n '/Alternative/{n;s/^ *//p;}')" = \
		    'DNS:www.example.test, DNS:*.a.test, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:1' ]
	done
	printf 'pinfast: 1\nhosts: [{ name: www.example.test, leaf: [%s] }]\n' \
	    "$(pinfast pin --plain p256.key)" >policy.yaml
	run pinfast check policy.yaml --csr p256.csr
	gives 0 'fine      www.example.test'
	run pinfast check policy.yaml --csr rsa2048.csr
	gives 1 'breaks    www.example.test'
}

@test "key and request come together or not at all" {
	echo old >old.csr
	run pinfast keygen new.key --csr old.csr www.example.test
	gives 3 'old.csr: cannot be written: File exists'
	[ ! -e new.key ] && [ "$(cat old.csr)" = old ]
	echo old >old.key
	run pinfast keygen old.key --csr new.csr www.example.test
	gives 3 'old.key: cannot be written: File exists'
	[ ! -e new.csr ] && [ "$(cat old.key)" = old ]
}

@test "what is there already stays as it is" {
	echo old >old.key
	ln -s nowhere link.key
	mkdir folder.key
	for file in old.key link.key folder.key; do
		run pinfast keygen "$file"
		gives 3 "$file: cannot be written: File exists"
		[[ $output != *sha256/* ]]
	done
	[ "$(cat old.key)" = old ]
	[ ! -e nowhere ] && [ -L link.key ]
	[ "$(ls | wc -l)" -eq 3 ]
}

@test "a folder that is not there, or cannot be written" {
	run pinfast keygen none/new.key
	gives 3 'none/new.key: cannot be written: No such file'
	run pinfast keygen /proc/new.key
	gives 3 '/proc/new.key: cannot be written'
}

@test "a full disk at each system call: a whole key or nothing" {
	[ -x "$NTH" ] || skip 'no nth for this machine or build'
	mkdir out
	call=1 made=0 refused=0
	while :; do
		rm -f out/*
		status=0
		# Counts of coverage, which may fail, too, go elsewhere.
		GCOV_PREFIX=$PWD/counts \
		    "$NTH" ENOSPC "$call" "$(dirname "$PINFAST")/pinfast-live" \
		    keygen out/key >said 2>&1 || status=$?
		[ "$status" -ne 99 ] || break
		files=$(ls -A out)
		[ -z "$files" ] || [ "$files" = key ] || {
			echo "call $call leaves $files"
			return 1
		}
		if [ -e out/key ]; then
			openssl pkey -in out/key -noout
			made=$((made + 1))
		else
			[ "$status" -ne 0 ]
			refused=$((refused + 1))
		fi
		call=$((call + 1))
	done
	echo "$made made, $refused refused"
	[ "$made" -gt 0 ] && [ "$refused" -gt 0 ]
}

@test "behind -- there are no more options" {
	run pinfast keygen --csr dash.csr -- --json www.example.test
	gives 0 sha256/
	[ "$output" = "$(pinfast pin --plain ./--json)" ]
	run pinfast keygen --type p384 -- dash.key --type
	gives 2 'not also `--type`'
}

@test "a command line that is not one" {
	run pinfast keygen
	gives 2 'name the file'
	run pinfast keygen ''
	gives 2 'name the file'
	run pinfast keygen -
	gives 2 'into a file'
	run pinfast keygen a b
	gives 2 'not also `b`'
	run pinfast keygen a --csr b
	gives 2 'name the hosts'
	run pinfast keygen a --csr a www.example.test
	gives 2 'cannot share the file `a`'
	for host in a..b '*.192.0.2.1' 'a,DNS:evil.test' '*' '*.*.test' ''; do
		run pinfast keygen a --csr b www.example.test "$host"
		gives 2 "not \`$host\`"
	done
	run pinfast keygen a --type dsa
	gives 2 'there is no type of key called `dsa`'
	run pinfast keygen a --size 2048
	gives 2 'no such option `--size`'
	run pinfast keygen --help
	gives 0 'usage: pinfast keygen'
	[ ! -e a ] && [ ! -e b ]
}
