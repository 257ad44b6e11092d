#!/usr/bin/env bats
# `pinfast init`: a first policy that says what the servers showed, compiles,
# and is not written when clients might be locked out.

load helper
load servers

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	make_world
	plain_servers
	openssl ecparam -name prime256v1 -genkey -noout -out backup.key
	openssl pkey -in backup.key -pubout -out backup.pub
}

teardown_file() {
	end_servers
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

pin() {
	pinfast pin --plain "$1"
}

init() {
	pinfast init --ca-file root.pem --timeout 2 "$@"
}

# Standard output into policy.yaml; status and complaints as of run.
written() {
	status=0
	init "$@" >policy.yaml 2>complaints || status=$?
	output=$(cat complaints)
}

@test "with a backup the policy is whole, and lint finds nothing" {
	# shellcheck disable=SC2046
	written $(at "$(cat both)") www.example.test --backup backup.key
	gives 0
	[ -z "$output" ]
	grep -q 'mode: report' policy.yaml
	run pinfast lint --strict policy.yaml
	gives 0
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast explain policy.store www.example.test:443
	gives 0 '"mode":"report"' "$(pin leaf.pem)" "$(pin rsa.pem)" \
	    "$(pin backup.pub)"
	run pinfast explain policy.store www.example.test:8443
	gives 0 '"lookup":"unlisted"'
}

@test "without a backup the status is 1, and the policy compiles" {
	# shellcheck disable=SC2046
	written $(at "$(cat both)") www.example.test
	gives 1 'no backup pin yet' 'pinfast keygen'
	grep -q '# no backup' policy.yaml
	pinfast compile --quiet policy.yaml -o policy.store
}

@test "a backup is a file of any kind or a pin" {
	for b in backup.key backup.pub "$(pin backup.pub)"; do
		# shellcheck disable=SC2046
		written $(at "$(cat both)") www.example.test --backup "$b"
		gives 0
		grep -qF -- "- $(pin backup.pub)" policy.yaml
	done
}

@test "a key in service is no backup" {
	# shellcheck disable=SC2046
	written $(at "$(cat both)") www.example.test --backup rsa.key
	gives 1 'rsa.key: is a key in service'
	[ "$(grep -c "$(pin rsa.pem)" policy.yaml)" -eq 1 ]
	# shellcheck disable=SC2046
	written $(at "$(cat both)") www.example.test --backup rsa.key \
	    --backup backup.key
	gives 0
}

@test "every key of every address, each once" {
	# shellcheck disable=SC2046
	written $(at "$(cat both)" "$(cat old)" "$(cat both)") \
	    www.example.test --backup backup.key
	gives 0
	for k in leaf rsa next; do
		[ "$(grep -c -- "- $(pin $k.pem)" policy.yaml)" -eq 1 ]
	done
	run pinfast lint --strict policy.yaml
	gives 0
}

@test "more keys than an entry holds" {
	local n to=()
	for n in $(seq 64); do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		    -nodes -subj "/CN=$n" -addext subjectAltName=IP:127.0.0.1 \
		    -keyout key -out cert 2>/dev/null
		cat key cert >"many.$n"
		cat cert >>many.pem
	done
	manner_server each --cert many
	for n in $(seq 64); do
		to+=(--connect-to "127.0.0.1:443:127.0.0.$n:$PORT")
	done
	status=0
	init --ca-file many.pem "${to[@]}" 127.0.0.1 >policy.yaml \
	    2>complaints || status=$?
	[ "$status" -eq 1 ]
	pinfast compile --quiet policy.yaml -o policy.store
	run init --ca-file many.pem "${to[@]}" 127.0.0.1 --backup backup.key
	gives 3 'left out: its keys and the backups are more than 64 pins'
}

@test "several servers, addresses and ports" {
	written "127.0.0.1:$(cat both)" "127.0.0.1:$(cat old)" \
	    --backup backup.key
	gives 0
	[ "$(grep -c 'name: "127.0.0.1"' policy.yaml)" -eq 2 ]
	run pinfast lint --strict policy.yaml
	gives 0
	run pinfast explain policy.yaml "127.0.0.1:$(cat old)"
	gives 0 "$(pin next.pem)"
	[[ $output != *$(pin leaf.pem)* ]]
}

@test "an IPv6 address" {
	[ -e /proc/net/if_inet6 ] || skip 'no IPv6 here'
	tls_server '[::1]' -cert leaf.pem -key leaf.key -cert_chain int.pem
	written "[::1]:$PORT" --backup backup.key
	gives 0
	run pinfast explain policy.yaml "[::1]:$PORT"
	gives 0 "$(pin leaf.pem)"
}

@test "STARTTLS stands in the policy, so that check finds its way" {
	manner_server smtp --cert leaf-chain.pem --key leaf.key
	written --starttls smtp "127.0.0.1:$PORT" --backup backup.key
	gives 0
	grep -q 'probe: \[{ starttls: smtp }\]' policy.yaml
	run pinfast lint --strict policy.yaml
	gives 0
	# And that there is none, on a port where it is usual.
	written --connect-to "127.0.0.1:25:127.0.0.1:$(cat old)" 127.0.0.1:25 \
	    --backup backup.key
	gives 0
	run pinfast check policy.yaml --ca-file root.pem \
	    --connect-to "127.0.0.1:25:127.0.0.1:$(cat old)"
	gives 0 'ok         127.0.0.1:25'
}

@test "through a proxy not every address is known, and that is told" {
	make_cert local int /CN=local subjectAltName=DNS:localhost
	tls_server 127.0.0.1 -cert local.pem -key local.key -cert_chain int.pem
	local server=$PORT
	manner_server connect
	written --proxy "http://127.0.0.1:$PORT" --backup backup.key \
	    "localhost:$server"
	gives 0 'the proxy chose one of its addresses'
	written --proxy "http://127.0.0.1:$PORT" --backup backup.key \
	    "127.0.0.1:$(cat old)"
	gives 0
	[ -z "$output" ]
}

@test "a host is left out when an address is dead or does not verify" {
	# shellcheck disable=SC2046
	written $(at "$(cat both)" 1) www.example.test \
	    "127.0.0.1:$(cat old)" --backup backup.key
	gives 3 'www.example.test:443: left out: every address must answer'
	[ "$(grep -c www.example.test policy.yaml)" -eq 0 ]
	run pinfast explain policy.yaml "127.0.0.1:$(cat old)"
	gives 0 "$(pin next.pem)"
	tls_server 127.0.0.1 -cert self.pem -key self.key
	# shellcheck disable=SC2046
	written $(at "$(cat both)" "$PORT") www.example.test --backup backup.key
	gives 3 'left out: its certificate does not verify'
	[ ! -s policy.yaml ]
}

@test "a subject cannot leave its comment" {
	make_cert evil int "/CN=$(printf 'a\nhosts: []')" \
	    subjectAltName=IP:127.0.0.1
	tls_server 127.0.0.1 -cert evil.pem -key evil.key -cert_chain int.pem
	written "127.0.0.1:$PORT" --backup backup.key
	gives 0
	grep -qF 'CN=a\x0ahosts: []' policy.yaml
	run pinfast lint --strict policy.yaml
	gives 0
}

@test "nor can the name of a file" {
	local name
	name=$(printf 'b\n- x.key')
	cp backup.key "$name"
	written "127.0.0.1:$(cat old)" --backup "$name"
	gives 0
	grep -qF 'b\x0a- x.key' policy.yaml
	run pinfast lint --strict policy.yaml
	gives 0
}

@test "Ctrl-C writes nothing" {
	manner_server silent
	"$PINFAST" init --ca-file root.pem --timeout 60 \
	    "127.0.0.1:$(cat old)" "127.0.0.1:$PORT" >said 2>&1 3>&- &
	pid=$!
	interrupt_after somebody "$LOG" INT
	[ "$status" -eq 130 ]
	[ "$output" = 'pinfast: interrupted: no policy is written' ]
}

@test "wrong usage" {
	run pinfast init
	gives 2 'name at least one'
	run pinfast init --nonsense host.test
	gives 2 'no such option `--nonsense`'
	run pinfast init host.test HOST.test.
	gives 2 'named twice'
	run pinfast init --backup sha256/short host.test
	gives 2 'sha256/short'
	run pinfast init --backup missing.key host.test
	gives 3 'missing.key'
	run pinfast init --backup "$(pinfast pin --plain --cert-hash leaf.pem)" \
	    host.test
	gives 2 'a key, not the certificate'
	run pinfast init 'https://host.test'
	gives 2
}
