#!/usr/bin/env bats
# `pinfast verify`, as a person runs it: what it lets through is little, and
# what it refuses it names.

load helper
load certs

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	local ca=basicConstraints=critical,CA:TRUE
	make_cert root - /CN=Root "$ca"
	make_cert other - /CN=Other "$ca"
	make_cert int root /CN=Intermediate "$ca"
	make_cert leaf int "/CN=$(printf 'a\033[2Jb')" \
	    'subjectAltName=DNS:www.example.test,IP:192.0.2.7'
	make_cert self - /CN=self 'subjectAltName=DNS:box.example.test'
	# The intermediate's key under another root.
	openssl x509 -req -in int.csr -CA other.pem -CAkey other.key \
	    -set_serial 77 -days 20 -extfile int.ext -out cross.pem 2>/dev/null
	cat leaf.pem int.pem >chain.pem
	local before=root
	for i in $(seq 16); do
		make_cert "deep$i" "$before" "/CN=Deep $i" "$ca"
		before=deep$i
	done
	make_cert deepleaf "$before" /CN=deep \
	    'subjectAltName=DNS:www.example.test'
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
	policy leaf "$(pin leaf)"
}

pin() {
	pinfast pin --plain "$1.pem"
}

# policy LIST PIN... into policy.yaml
policy() {
	local list=$1
	shift
	printf 'pinfast: 1\nhosts:\n  - name: www.example.test\n    %s: [%s]\n' \
	    "$list" "$(IFS=,; echo "$*")" >policy.yaml
}

# The usual question; more words and options follow.
verify() {
	pinfast verify policy.yaml www.example.test:443 \
	    --ca-file root.pem "$@"
}

# ------------------------------------------------------------- what is allowed

@test "a pinned leaf on a verified path" {
	run verify --chain chain.pem
	gives 0 'allowed www.example.test:443' 'PKIX: ok' "$(pin leaf)" \
	    '<- matched' "$(pin root)  root  CN=Root"
}

@test "a compiled policy and the chain from standard input" {
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast verify policy.store www.example.test --ca-file root.pem \
	    --chain - <chain.pem
	gives 0 'allowed www.example.test'
}

@test "a pinned root that was not presented" {
	policy ca "$(pin root)"
	run verify --chain chain.pem --json
	gives 0 "\"matched\":{\"pin\":\"$(pin root)\",\"index\":2"
}

@test "JSON says what was decided, with escaped subjects" {
	run verify --chain chain.pem --json
	gives 0
	python3 -c '
import json, sys
v = json.loads(sys.argv[1])
assert list(v) == ["decision", "reason", "matched", "path", "pkix"], v
assert v["decision"] == "allow" and v["reason"] == "pin-matched"
assert v["matched"]["pin"] == sys.argv[2] and v["matched"]["index"] == 0
assert v["matched"]["subject"] == "CN=a\x1b[2Jb"
assert len(v["path"]) == 3 and v["pkix"] == {"ok": True}' \
	    "$output" "$(pin leaf)"
	[[ $output != *$'\033'* ]]
}

@test "a further path, when only that one has the pin" {
	policy ca "$(pin other)"
	cat root.pem other.pem >both.pem
	cat leaf.pem int.pem cross.pem >three.pem
	run pinfast verify policy.yaml www.example.test --chain three.pem \
	    --ca-file both.pem
	gives 0 'root  CN=Other  <- matched'
}

@test "the pin alone decides for an entry with pkix: none" {
	printf 'pinfast: 1\nhosts:\n  - { name: box.example.test, pkix: none, leaf: [%s] }\n' \
	    "$(pin self)" >none.yaml
	run pinfast verify none.yaml box.example.test --chain self.pem
	gives 0 'PKIX: not run' '<- matched'
	run pinfast verify none.yaml box.example.test --chain leaf.pem
	gives 1 'denied' 'none of the pinned keys'
}

@test "an entry's own anchors, and no others" {
	printf 'pinfast: 1\nhosts:\n  - { name: www.example.test, trust: { ca-file: root.pem }, leaf: [%s] }\n' \
	    "$(pin leaf)" >own.yaml
	run pinfast verify own.yaml www.example.test --chain chain.pem \
	    --ca-file other.pem
	gives 0 'PKIX: ok'
	sed -i 's/root.pem/other.pem/' own.yaml
	run pinfast verify own.yaml www.example.test --chain chain.pem \
	    --ca-file root.pem
	gives 1 'denied'
}

@test "an address" {
	sed -i 's/www.example.test/192.0.2.7/' policy.yaml
	run pinfast verify policy.yaml 192.0.2.7:443 --chain chain.pem \
	    --ca-file root.pem
	gives 0 'allowed 192.0.2.7:443'
	sed -i 's/192.0.2.7/192.0.2.8/' policy.yaml
	run pinfast verify policy.yaml 192.0.2.8:443 --chain chain.pem \
	    --ca-file root.pem
	gives 1 'IP address mismatch'
}

@test "a partial chain only when it is asked for" {
	run pinfast verify policy.yaml www.example.test --chain leaf.pem \
	    --ca-file int.pem
	gives 1 'denied'
	run pinfast verify policy.yaml www.example.test --chain leaf.pem \
	    --ca-file int.pem --partial-chain
	gives 0 'allowed'
}

@test "more presented certificates than a path may have" {
	cat chain.pem deep*.pem >many.pem
	run verify --chain many.pem
	gives 0 'allowed'
}

# -------------------------------------------------------------- what is denied

@test "a verified path of more than 16 certificates" {
	policy pins "$(pin deepleaf)"
	cat deepleaf.pem deep1.pem deep2.pem deep3.pem deep4.pem deep5.pem \
	    deep6.pem deep7.pem deep8.pem deep9.pem deep10.pem deep11.pem \
	    deep12.pem deep13.pem deep14.pem deep15.pem deep16.pem >deep.pem
	run verify --chain deep.pem
	gives 1 'more than 16 certificates'
}

@test "no pinned key" {
	policy leaf "$(pin self)" "$(pin root)"
	run verify --chain chain.pem
	gives 1 'none of the pinned keys' "wanted: " "$(pin self)" "PKIX: ok"
	run verify --chain chain.pem --json
	gives 1 '"decision":"deny","reason":"pin-mismatch","path"'
}

@test "a pin that was presented but is on no path" {
	policy pins "$(pin self)"
	cat chain.pem self.pem >extra.pem
	run verify --chain extra.pem
	gives 1 'none of the pinned keys'
}

@test "a pin does not rescue an unknown issuer" {
	run verify --chain leaf.pem
	gives 1 'did not verify' 'PKIX: unable to get'
	run pinfast verify policy.yaml www.example.test --chain chain.pem \
	    --ca-file other.pem --json
	gives 1 '"reason":"pkix-failed","path":[],"pkix":{"ok":false'
}

@test "a pin does not rescue another host's certificate" {
	printf 'pinfast: 1\nhosts:\n  - { name: a.example.test, leaf: [%s] }\n' \
	    "$(pin leaf)" >a.yaml
	run pinfast verify a.yaml a.example.test --chain chain.pem \
	    --ca-file root.pem
	gives 1 'PKIX: hostname mismatch'
}

@test "a pin does not rescue certificates that are over or not yet valid" {
	run verify --chain chain.pem --time 2099-01-01
	gives 1 'PKIX: certificate has expired'
	run verify --chain chain.pem --time 2001-01-01
	gives 1 'PKIX: certificate is not yet valid'
}

@test "a rejected key on the path" {
	printf 'pinfast: 1\nreject: [%s]\nhosts:\n  - { name: www.example.test, leaf: [%s] }\n' \
	    "$(pin root)" "$(pin leaf)" >reject.yaml
	run pinfast verify reject.yaml www.example.test --chain chain.pem \
	    --ca-file root.pem
	gives 1 'a key that the policy rejects'
}

@test "the system's anchors do not know a private root" {
	run pinfast verify policy.yaml www.example.test --chain chain.pem
	gives 1 'denied'
}

@test "the issuer first is judged as the leaf" {
	cat int.pem leaf.pem >turned.pem
	run verify --chain turned.pem
	gives 1 'denied' 'certificate 2 is no CA'
}

@test "more than one leaf: only the first counts, and it says so" {
	cat self.pem chain.pem >two.pem
	run verify --chain two.pem
	gives 1 'two.pem: certificate 2 is no CA' 'only the first is judged'
}

@test "a host that is invalid" {
	for host in 'www.exa mple.test' .example.test a..example.test 127.1 \
	    www.example.test..; do
		run pinfast verify policy.yaml "$host" --chain chain.pem \
		    --ca-file root.pem --json
		gives 1 "pinfast: $host: " '"reason":"host-invalid"'
	done
}

# ------------------------------------------------- what cannot be decided

undecided() { # file, text
	run verify --chain "$1"
	gives 3 "$1: " "$2"
	[[ $output != *allowed* ]]
	cat "$1" >/dev/null 2>&1 || return 0
	run pinfast verify policy.yaml www.example.test --chain chain.pem \
	    --ca-file "$1"
	gives 3 "$1: " "$2"
}

@test "a chain or anchors that are missing, empty, a folder, or garbage" {
	: >empty.pem
	mkdir -p folder
	head -c 300 /dev/urandom | tr -d -- - >garbage.pem
	openssl x509 -in leaf.pem -outform DER -out leaf.der
	sed '3s/^..../%%%%/' leaf.pem >damaged.pem
	printf -- '-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n' >nocert.pem
	undecided missing.pem 'No such file'
	undecided empty.pem 'is empty'
	undecided folder 'directory'
	undecided garbage.pem 'holds no certificate in PEM'
	undecided leaf.der 'openssl x509 -inform DER'
	undecided damaged.pem 'line 1: `CERTIFICATE` is a damaged PEM block'
	undecided nocert.pem 'cannot be read as an X.509 certificate'
	undecided leaf.key 'is no certificate'
}

@test "one damaged certificate behind good ones" {
	cat chain.pem nocert.pem >behind.pem 2>/dev/null || :
	printf -- '-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n' >>behind.pem
	run verify --chain behind.pem
	gives 3 'behind.pem: line'
}

@test "anchors that others may write" {
	cp root.pem open.pem
	chmod 666 open.pem
	run pinfast verify policy.yaml www.example.test --chain chain.pem \
	    --ca-file open.pem
	gives 3 'open.pem: '
}

@test "a policy that is missing or wrong" {
	run pinfast verify nothing.yaml www.example.test --chain chain.pem
	gives 3 'nothing.yaml: No such file'
	echo 'pinfast: 2' >wrong.yaml
	run pinfast verify wrong.yaml www.example.test --chain chain.pem
	gives 3 'wrong.yaml:1'
	run pinfast verify chain.pem www.example.test --chain chain.pem
	[ "$status" -eq 3 ]
}

# ------------------------------------------------------------------ wrong usage

@test "a command line that is not one" {
	run pinfast verify
	gives 2 'name a policy and a host'
	run pinfast verify policy.yaml
	gives 2 'name a policy and a host'
	run pinfast verify policy.yaml www.example.test
	gives 2 'say --chain FILE'
	run verify --chain chain.pem another
	gives 2 'not also `another`'
	run verify --chain chain.pem --time yesterday
	gives 2 '--time takes'
	run verify --chain chain.pem --time 2027-02-30
	gives 2 '--time takes'
	run pinfast verify policy.yaml www.example.test:0 --chain chain.pem
	gives 2 'a port is 1 to 65535'
	run pinfast verify policy.yaml www.example.test:65536 --chain chain.pem
	gives 2 'a port is 1 to 65535'
	run pinfast verify - www.example.test --chain -
	gives 2 'cannot both be standard input'
	run "$(dirname "$PINFAST")/pinfast-live" nothing
	gives 2 'is started by pinfast'
}

@test "pinfast-live by its own name takes the same command" {
	run "$(dirname "$PINFAST")/pinfast-live" verify --help
	gives 0 'usage: pinfast verify'
}
