#!/usr/bin/env bats
# `pinfast check --new-cert` and `--csr`: what a renewal would break is told
# before it goes live, and nothing that would break is ever called fine.

load helper
load certs

# make_cert NAME ISSUER SAN EXTENSIONS...; ISSUER `-`: self-signed.
make_cert() {
	local name=$1 issuer=$2 san=$3
	shift 3
	{
		[ -z "$san" ] || echo "subjectAltName=$san"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$name.ext"
	[ -e "$name.key" ] ||
	    openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
	openssl req -new -key "$name.key" -subj "/CN=$name" \
	    ${san:+-addext "subjectAltName=$san"} -out "$name.csr"
	sign_cert "$name" "$issuer"
}

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	local ca=basicConstraints=critical,CA:TRUE
	make_cert root - '' "$ca"
	make_cert int root '' "$ca"
	make_cert live int DNS:www.example.test
	make_cert other int DNS:www.example.test
	make_cert many int \
	    'DNS:www.example.test,DNS:api.example.test,DNS:*.wild.example.test,IP:192.0.2.7,DNS:else.test'
	make_cert bare - ''
	make_cert box - DNS:box.example.test
	for name in live other many; do
		cat "$name.pem" int.pem >"$name.full.pem"
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
	policy "{ name: www.example.test, leaf: [$(pin live)] }"
}

pin() {
	pinfast pin --plain "$1.pem"
}

# policy ENTRY... into policy.yaml
policy() {
	printf 'pinfast: 1\nhosts:\n' >policy.yaml
	printf '  - %s\n' "$@" >>policy.yaml
}

new_cert() { # file, more
	local file=$1
	shift
	pinfast check policy.yaml --new-cert "$file" --ca-file root.pem "$@"
}

csr() { # file, more
	local file=$1
	shift
	pinfast check policy.yaml --csr "$file" "$@"
}

# ------------------------------------------------------------- certificates

@test "a renewal that keeps the key is fine" {
	run new_cert live.full.pem
	gives 0 'fine      www.example.test  allowed' "key $(pin live)" \
	    '1 fine, 0 reported, 0 unsure, 0 broken'
}

@test "a renewal with a new key breaks the entry, and names the keys" {
	run new_cert other.full.pem
	gives 1 'breaks    www.example.test  denied' "$(pin other)" \
	    "wanted: $(pin live)" '1 broken'
}

@test "a backup key is as good" {
	policy "{ name: www.example.test, leaf: [$(pin live), $(pin other)] }"
	run new_cert other.full.pem
	gives 0 '1 fine'
}

@test "a compiled policy" {
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast check policy.store --new-cert other.full.pem \
	    --ca-file root.pem
	gives 1 'breaks    www.example.test'
}

@test "an issuer's pin, when the whole chain is there" {
	policy "{ name: www.example.test, ca: [$(pin int)] }"
	run new_cert other.full.pem
	gives 0 '1 fine'
	policy "{ name: www.example.test, ca: [$(pin other)] }"
	run new_cert other.full.pem
	gives 1 '1 broken'
}

@test "every entry that its names concern, and only those" {
	policy "{ name: www.example.test, leaf: [$(pin live)] }" \
	    "{ name: api.example.test, leaf: [$(pin many)] }" \
	    "{ name: wild.example.test, subdomains: any, leaf: [$(pin live)] }" \
	    "{ name: a.wild.example.test, leaf: [$(pin many)] }" \
	    "{ name: b.a.wild.example.test, leaf: [$(pin live)] }" \
	    "{ name: 192.0.2.7, leaf: [$(pin live)] }" \
	    "{ name: not.example.test, leaf: [$(pin live)] }"
	run new_cert many.full.pem
	gives 1 'breaks    www.example.test  ' 'fine      api.example.test  ' \
	    'breaks    *.wild.example.test  entry wild.example.test (any)' \
	    'fine      a.wild.example.test  ' 'breaks    192.0.2.7  ' \
	    '3 fine, 0 reported, 0 unsure, 3 broken; 1 names without an entry'
	[[ $output != *not.example.test* ]]
	[[ $output != *b.a.wild* ]]
}

@test "no host can stand where a wildcard is asked" {
	policy "{ name: wild.example.test, subdomains: one, leaf: [$(pin live)] }" \
	    "{ name: pinfast-any.wild.example.test, leaf: [$(pin many)] }" \
	    "{ name: 0.wild.example.test, leaf: [$(pin many)] }"
	run new_cert many.full.pem
	gives 1 'breaks    *.wild.example.test  entry wild.example.test (one)' \
	    'fine      0.wild.example.test  ' \
	    'fine      pinfast-any.wild.example.test  ' \
	    'denied *.wild.example.test: the peer' '6 fine'
	policy "{ name: pinfast-any.wild.example.test, leaf: [$(pin many)] }" \
	    "{ name: 0.wild.example.test, leaf: [$(pin many)] }"
	sed -i '1s/$/\nunlisted: deny/' policy.yaml
	run new_cert many.full.pem
	gives 1 'breaks    *.wild.example.test  no entry'
}

@test "entries of one name for several ports are asked one by one" {
	policy "{ name: www.example.test, leaf: [$(pin live)] }" \
	    "{ name: www.example.test, port: 8443, leaf: [$(pin other)] }" \
	    "{ name: www.example.test, port: 443, leaf: [$(pin live)] }"
	run new_cert other.full.pem
	gives 1 'fine      www.example.test:8443' \
	    'breaks    www.example.test:443' '1 fine, 0 reported, 0 unsure, 2'
	run new_cert other.full.pem www.example.test:8443
	gives 0 '1 fine'
}

@test "a report-only entry reports and does not break" {
	policy "{ name: www.example.test, mode: report, leaf: [$(pin live)] }"
	run new_cert other.full.pem
	gives 0 'reported  www.example.test' '1 reported, 0 unsure, 0 broken'
}

@test "a shadow set is told, and does not decide" {
	policy "{ name: www.example.test, leaf: [$(pin live)], shadow: { leaf: [$(pin other)] } }"
	run new_cert live.full.pem
	gives 0 '; shadow: the peer showed none of the pinned keys'
}

@test "a rejected key breaks whatever is pinned" {
	policy "{ name: www.example.test, leaf: [$(pin live)], reject: [$(pin live)] }"
	run new_cert live.full.pem
	gives 1 'a key that the policy rejects'
}

@test "a chain that ends early is not decided when the key is pinned" {
	run new_cert live.pem
	gives 3 'unsure    www.example.test' 'the key is pinned, but' \
	    '--ca-file'
	run new_cert other.pem
	gives 1 'breaks    www.example.test'
	policy "{ name: www.example.test, ca: [$(pin int)] }"
	run new_cert other.pem
	gives 3 'unsure    www.example.test  the chain does not reach'
}

@test "a chain that OpenSSL refuses breaks, whatever its key" {
	run new_cert live.full.pem --time 2099-01-01
	gives 1 'the chain does not verify: certificate has expired'
	run new_cert live.full.pem api.example.test
	gives 1 'breaks    api.example.test' 'hostname mismatch'
}

@test "with pkix: none the key alone decides" {
	policy "{ name: box.example.test, pkix: none, leaf: [$(pin box)] }"
	run new_cert box.pem
	gives 0 '1 fine'
	policy "{ name: box.example.test, pkix: none, leaf: [$(pin live)] }"
	run new_cert box.pem
	gives 1 '1 broken'
}

@test "names that no entry covers" {
	policy "{ name: not.example.test, leaf: [$(pin live)] }"
	run new_cert many.full.pem
	gives 0 'the policy has no entry for any of its names' '0 broken'
	sed -i '1a unlisted: deny' policy.yaml
	run new_cert many.full.pem
	gives 1 'breaks    else.test  no entry' '5 broken'
}

@test "JSON" {
	run new_cert other.full.pem --json
	gives 1
	python3 -c '
import json, sys
v = json.loads(sys.argv[1])
assert list(v) == ["file", "pin", "hosts"], v
assert v["pin"] == sys.argv[2]
h, = v["hosts"]
assert h["host"] == "www.example.test" and h["port"] == 0, h
assert h["entry"] == "www.example.test" and h["scope"] == "exact"
assert h["effect"] == "breaks" and h["reason"] == "pin-mismatch"' \
	    "$output" "$(pin other)"
}

# ------------------------------------------------------------- requests

@test "a request with a pinned key is fine, one with another key breaks" {
	run csr live.csr
	gives 0 'fine      www.example.test' "key $(pin live)"
	run csr other.csr
	gives 1 'breaks    www.example.test' "wanted: $(pin live)"
	openssl req -in live.csr -outform DER -out live.csr.der
	run csr live.csr.der
	gives 0 '1 fine'
}

@test "a request says nothing about its issuer" {
	policy "{ name: www.example.test, ca: [$(pin int)] }"
	run csr live.csr
	gives 3 'unsure    www.example.test  the key is not pinned; its issuers'
	policy "{ name: www.example.test, leaf: [$(pin live)], ca: [$(pin int)] }"
	run csr live.csr
	gives 0 '1 fine'
	policy "{ name: www.example.test, require: all-lists, leaf: [$(pin live)], ca: [$(pin int)] }"
	run csr live.csr
	gives 3 '1 unsure'
	run csr other.csr
	gives 1 '1 broken'
}

@test "a request for another host breaks this one" {
	run csr live.csr api.example.test
	gives 1 'the request does not name this host'
}

@test "a request without names is for the host that is said" {
	run csr bare.csr
	gives 3 'bare.csr: names no host'
	run csr bare.csr www.example.test
	gives 1 'breaks    www.example.test'
	policy "{ name: www.example.test, leaf: [$(pin bare)] }"
	run csr bare.csr www.example.test
	gives 0 '1 fine'
}

@test "a request that somebody has changed" {
	openssl req -in live.csr -outform DER -out changed.der
	printf '\377' | dd of=changed.der bs=1 conv=notrunc status=none \
	    seek=$(($(stat -c %s changed.der) - 1))
	run csr changed.der
	gives 3 'changed.der: is not signed with its own key'
}

@test "files that are neither" {
	echo nothing >nothing.txt
	run csr nothing.txt
	gives 3 'nothing.txt: is no certificate request'
	run csr missing.csr
	gives 3 'missing.csr: No such file'
	run csr live.pem
	gives 3 'live.pem: is no certificate request'
	run new_cert live.csr
	gives 3 'live.csr: line 1: `CERTIFICATE REQUEST` is no certificate'
	run new_cert live.key
	gives 3 'live.key: '
	echo 'pinfast: 2' >policy.yaml
	run new_cert live.pem
	gives 3 'policy.yaml:1'
}

@test "a command line that is not one" {
	run pinfast check
	gives 2 'name a policy'
	run csr live.csr --new-cert live.pem
	gives 2 'choose one of'
	run csr live.csr www.example.test:0
	gives 2 'a port is 1 to 65535'
	run csr live.csr a..b
	gives 2 'a..b: '
	run csr live.csr --time never
	gives 2 '--time takes'
}
