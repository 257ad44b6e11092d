#!/usr/bin/env bats
# `pinfast pin HOST`, against servers that behave in every way.

load helper
load servers

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	make_world
	plain_servers
}

teardown_file() {
	end_servers
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

pin() {
	pinfast pin --plain "$1.pem"
}

# What most tests say; more words follow.
live() {
	pinfast pin --ca-file root.pem --timeout 2 "$@"
}

# ------------------------------------------------------------- what is printed

@test "the pin of a server's leaf, as of its file" {
	run live "127.0.0.1:$(cat good)"
	gives 0
	[ "$output" = "$(pinfast pin leaf.pem)" ]
}

@test "a name is sent, verified and connected to where one says" {
	# shellcheck disable=SC2046
	run live $(at "$(cat good)") www.example.test
	gives 0 "$(pin leaf)  leaf  CN=leaf"
}

@test "ECDSA and RSA certificates of the same server" {
	run live --plain "127.0.0.1:$(cat both)"
	gives 0 "$(pin leaf)" "$(pin rsa)"
	[ "${#lines[@]}" -eq 2 ]
}

@test "a server with RSA only, in TLS 1.2" {
	tls_server 127.0.0.1 -cert rsa.pem -key rsa.key -cert_chain int.pem \
	    -tls1_2
	run live --json "127.0.0.1:$PORT"
	gives 0 "$(pin rsa)" '"tls":"TLSv1.2"'
}

@test "the verified path with --chain all, with a root that was not sent" {
	run live --chain all "127.0.0.1:$(cat good)"
	gives 0 "$(pin leaf)  leaf" "$(pin int)  intermediate" \
	    "$(pin root)  root  CN=Root"
}

@test "the formats that files have, too" {
	local server
	server=127.0.0.1:$(cat good)
	run live --plain "$server"
	[ "$output" = "$(pin leaf)" ]
	run live --tlsa "$server"
	[ "$output" = "$(pinfast pin --tlsa leaf.pem)" ]
	run live --cert-hash "$server"
	[ "$output" = "$(pinfast pin --cert-hash leaf.pem)" ]
	run live --cert-hash --tlsa --chain all "$server"
	[ "$output" = "$(pinfast pin --cert-hash --tlsa leaf.pem int.pem \
	    root.pem)" ]
}

@test "JSON names host, port, addresses and what PKIX said" {
	# shellcheck disable=SC2046
	run live --json $(at "$(cat good)" "$(cat good)") www.example.test
	gives 0
	python3 -c '
import json, sys
v, = json.loads(sys.argv[1])
assert v["host"] == "www.example.test" and v["port"] == 443, v
assert v["addresses"] == ["127.0.0.1", "127.0.0.1"], v
assert v["pin"] == sys.argv[2] and v["role"] == "leaf", v
assert v["pkix"] == {"ok": True} and v["tls"] == "TLSv1.3", v' \
	    "$output" "$(pin leaf)"
}

@test "an IPv6 address, alone and behind a name" {
	[ -e /proc/net/if_inet6 ] || skip 'no IPv6 here'
	tls_server '[::1]' -cert leaf.pem -key leaf.key -cert_chain int.pem
	run live "[::1]:$PORT"
	gives 0 "$(pin leaf)"
	run live --connect-to "www.example.test:443:[::1]:$PORT" \
	    www.example.test
	gives 0 "$(pin leaf)"
}

@test "a name of eight addresses of which one has another key" {
	local g
	g=$(cat good)
	# shellcheck disable=SC2046
	run live --json $(at "$g" "$g" "$g" "$g" "$(cat old)" "$g" "$g" "$g") \
	    www.example.test
	gives 0 "$(pin leaf)" "$(pin next)" 'not every address shows the same'
	[ "$(grep -o '"127.0.0.1"' <<<"$output" | wc -l)" -eq 8 ]
}

@test "several servers, in the order in which they were named" {
	run live --plain "127.0.0.1:$(cat old)" "127.0.0.1:$(cat good)"
	gives 0
	[ "$output" = "$(pin next)
$(pin leaf)" ]
}

@test "a server that wants a client certificate" {
	for version in -tls1_2 -tls1_3; do
		tls_server 127.0.0.1 -cert leaf.pem -key leaf.key \
		    -cert_chain int.pem -Verify 2 -verify_return_error $version
		run live --plain "127.0.0.1:$PORT"
		gives 0 "$(pin leaf)"
	done
}

@test "the files of --ca-file are ours" {
	cp root.pem shared.pem
	chmod 666 shared.pem
	run pinfast pin --ca-file shared.pem "127.0.0.1:$(cat good)"
	gives 3 'shared.pem'
}

@test "the system's anchors: its folder first, then its bundle" {
	local server
	server=127.0.0.1:$(cat good)
	mkdir -p hashed none
	cp root.pem "hashed/$(openssl x509 -in root.pem -noout -hash).0"
	export SSL_CERT_DIR=$PWD/hashed SSL_CERT_FILE=$PWD/missing.pem
	run pinfast pin --plain "$server"
	gives 0 "$(pin leaf)"
	cat self.pem root.pem >bundle.pem
	export SSL_CERT_DIR=$PWD/none SSL_CERT_FILE=$PWD/bundle.pem
	run pinfast pin --plain "$server" "$server" "127.0.0.1:$(cat both)"
	gives 0 "$(pin leaf)" "$(pin rsa)"
	export SSL_CERT_FILE=$PWD/self.pem
	run pinfast pin --plain "$server"
	gives 3 'does not verify'
	[[ $output != *sha256/* ]]
}

# --------------------------------------------------------- what is not printed

@test "what does not verify is not printed" {
	run pinfast pin --ca-file self.pem "127.0.0.1:$(cat good)"
	gives 3 'does not verify' '--ca-file' '--pkix none'
	[[ $output != *sha256/* ]]
	run live --connect-to ":443:127.0.0.1:$(cat good)" other.example.test
	gives 3 'hostname mismatch'
	[[ $output != *sha256/* ]]
}

@test "JSON tells it with its reason" {
	run pinfast pin --json --ca-file self.pem "127.0.0.1:$(cat good)"
	gives 3 '"pkix":{"ok":false,"error":"unable to get'
}

@test "unless one asks for it" {
	tls_server 127.0.0.1 -cert self.pem -key self.key
	run live --pkix none "127.0.0.1:$PORT"
	gives 0 "$(pin self)  leaf  CN=self"
	run pinfast pin --ca-file self.pem "127.0.0.1:$PORT"
	gives 0 "$(pin self)"
}

@test "a subject cannot steer the terminal" {
	make_cert evil int "/CN=$(printf 'a\033[2Jb')" \
	    subjectAltName=IP:127.0.0.1
	tls_server 127.0.0.1 -cert evil.pem -key evil.key -cert_chain int.pem
	run live "127.0.0.1:$PORT"
	gives 0 'CN=a\x1b[2Jb'
	[[ $output != *$'\033'* ]]
}

# -------------------------------------------------------------- broken servers

# broken STAGE TEXT PORT: alone, and beside a good one that is printed.
broken() {
	run live --plain --timeout 1.5 "127.0.0.1:$3"
	gives 3 "127.0.0.1:$3: $1: " "$2"
	run live --plain "127.0.0.1:$3" "127.0.0.1:$(cat good)"
	gives 3 "$2" "$(pin leaf)"
	[[ $output != *$'\033'* ]]
}

@test "a dead port" {
	broken connect 'nothing listens there' 1
}

@test "a silent server" {
	manner_server silent
	broken handshake 'no TLS handshake in ' "$PORT"
}

@test "a slow drip" {
	manner_server drip
	broken handshake 'no TLS handshake in ' "$PORT"
}

@test "garbage" {
	manner_server garbage
	broken handshake 'is not TLS' "$PORT"
}

@test "a server that closes" {
	manner_server closing
	broken handshake 'closed the connection' "$PORT"
}

@test "an alert" {
	manner_server alert
	broken handshake 'the alert "handshake failure"' "$PORT"
}

@test "silence that is taken for a no is told" {
	manner_server again-closing --far "$(cat good)"
	run live "127.0.0.1:$PORT"
	gives 0 "$(pin leaf)" 'it hung up when it was asked for a key of the'
	manner_server again-no --far "$(cat good)"
	run live "127.0.0.1:$PORT"
	gives 0 "$(pin leaf)"
	[[ $output != *'hung up'* ]]
}

@test "one dead address of a name" {
	# shellcheck disable=SC2046
	run live --plain $(at "$(cat good)" 1) www.example.test
	gives 3 'www.example.test:443, 127.0.0.1: connect: nothing' \
	    "$(pin leaf)"
}

@test "a name that nobody knows" {
	run pinfast pin --timeout 30 no-such-name.invalid
	gives 3 'no-such-name.invalid:443: resolve: '
}

@test "a hundred certificates, and one more" {
	for i in $(seq 98); do cat self.pem; done >many.pem
	cat int.pem >>many.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain many.pem
	run live --plain "127.0.0.1:$PORT"
	gives 0 "$(pin leaf)"
	cat self.pem >>many.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain many.pem
	broken handshake 'more than 100 certificates' "$PORT"
}

@test "Ctrl-C gives what is there" {
	manner_server silent
	echo "$PORT" >silent
	manner_server again-no --far "$(cat good)"
	"$PINFAST" pin --ca-file root.pem --plain --timeout 60 \
	    "127.0.0.1:$PORT" "127.0.0.1:$(cat silent)" >said 2>&1 3>&- &
	pid=$!
	interrupt_after 'it has left' "$LOG" INT
	[ "$status" -eq 130 ]
	[ "$output" = "$(pin leaf)" ]
}

# ------------------------------------------------------------------- starttls

@test "STARTTLS, and no application byte behind it" {
	manner_server smtp --cert leaf-chain.pem --key leaf.key
	run live --plain --starttls smtp "127.0.0.1:$PORT"
	gives 0 "$(pin leaf)"
	grep -q 'application bytes: 0' "$LOG"
}

@test "text behind the go-ahead is dropped and told" {
	manner_server smtp-injecting --cert leaf-chain.pem --key leaf.key
	run live --starttls smtp "127.0.0.1:$PORT"
	gives 0 "$(pin leaf)" 'CVE-2011-0411'
}

@test "a server that refuses STARTTLS" {
	manner_server smtp-refusing
	run live --starttls smtp "127.0.0.1:$PORT"
	gives 3 'starttls: '
	[[ $output != *$'\033'* ]]
}

@test "silence and garbage where STARTTLS is wanted" {
	manner_server silent
	run live --timeout 0.5 --starttls imap "127.0.0.1:$PORT"
	gives 3 'starttls: ' "greeting had not come after 0.5 s"
	manner_server garbage
	run live --starttls ldap "127.0.0.1:$PORT"
	gives 3 'starttls: '
}

# -------------------------------------------------------------------- proxies

@test "an HTTP proxy, which is given the name" {
	manner_server connect
	run live --proxy "http://127.0.0.1:$PORT" "localhost:$(cat good)"
	gives 3 'hostname mismatch'
	grep -q "asked for localhost:$(cat good)" "$LOG"
	run live --plain --proxy "http://127.0.0.1:$PORT/" \
	    "127.0.0.1:$(cat good)"
	gives 0 "$(pin leaf)"
}

@test "an HTTP proxy with credentials" {
	manner_server connect-auth
	run live --plain --proxy "http://u:%70@127.0.0.1:$PORT" \
	    "127.0.0.1:$(cat good)"
	gives 0 "$(pin leaf)"
	run live --proxy "http://u:wrong@127.0.0.1:$PORT" \
	    "127.0.0.1:$(cat good)"
	gives 3 'proxy: ' 407
	[[ $output != *wrong* ]]
}

@test "an HTTP proxy that refuses, is silent or dead" {
	manner_server connect-refusing
	run live --proxy "http://127.0.0.1:$PORT" "127.0.0.1:$(cat good)"
	gives 3 'proxy: ' 403
	manner_server silent
	run live --timeout 0.5 --proxy "http://127.0.0.1:$PORT" \
	    "127.0.0.1:$(cat good)"
	gives 3 'proxy: ' 'after 0.5 s'
	run live --proxy http://127.0.0.1:1 "127.0.0.1:$(cat good)"
	gives 3 'proxy: nothing listens there'
}

@test "a SOCKS5 proxy, with a name, an address and credentials" {
	manner_server socks5
	run live --plain --proxy "socks5://127.0.0.1:$PORT" \
	    "127.0.0.1:$(cat good)"
	gives 0 "$(pin leaf)"
	run live --proxy "socks5://127.0.0.1:$PORT" "localhost:$(cat good)"
	gives 3 'hostname mismatch'
	grep -q "asked for localhost:$(cat good)" "$LOG"
	# shellcheck disable=SC2046
	run live --plain --proxy "socks5://127.0.0.1:$PORT" \
	    $(at "$(cat good)") www.example.test
	gives 0 "$(pin leaf)"
	manner_server socks5-auth
	run live --plain --proxy "socks5://u:p@127.0.0.1:$PORT" \
	    "127.0.0.1:$(cat good)"
	gives 0 "$(pin leaf)"
	run live --proxy "socks5://127.0.0.1:$PORT" "127.0.0.1:$(cat good)"
	gives 3 'proxy: '
}

@test "STARTTLS through a proxy" {
	manner_server smtp --cert leaf-chain.pem --key leaf.key
	local mail=$PORT
	manner_server socks5
	run live --plain --starttls smtp --proxy "socks5://127.0.0.1:$PORT" \
	    "127.0.0.1:$mail"
	gives 0 "$(pin leaf)"
}

# ---------------------------------------------------------------- wrong usage

@test "wrong options are named" {
	run pinfast pin --starttls gopher host.test
	gives 2 'gopher'
	run pinfast pin --proxy https://u:secret@proxy.test:1 host.test
	gives 2 '--proxy takes'
	[[ $output != *secret* ]]
	run pinfast pin --proxy http://proxy.test host.test
	gives 2 '--proxy takes'
	for t in 0 -1 abc 3601 1s ''; do
		run pinfast pin --timeout "$t" host.test
		gives 2 '--timeout takes'
	done
	for c in '' a a:1 a:1:127.0.0.1 a:1:127.0.0.1:x a:1:b.test:1 \
	    a:1:::1:1 a:99999:127.0.0.1:1 a:1:127.0.0.1:1:2 'a:1:[::1:1'; do
		run pinfast pin --connect-to "$c" host.test
		gives 2 '--connect-to takes'
	done
	run pinfast pin --pkix all host.test
	gives 2 '--pkix takes none'
	run pinfast pin --timeout 1 --nonsense host.test
	gives 2 '--nonsense'
	run pinfast pin --timeout 1
	gives 2 'name at least one'
	run pinfast pin --timeout 1 --plain --json host.test
	gives 2 'choose one'
}

@test "what is no host is no host" {
	for h in 'https://host.test/' a..b 127.1 'a b.test' host.test:0 \
	    host.test:65536 host.test:x; do
		run pinfast pin --timeout 1 "$h"
		gives 2
	done
}

@test "files and servers are not mixed" {
	run pinfast pin leaf.pem 127.0.0.1:1
	gives 2 'files and servers'
}

@test "a file that is called like a host is a file" {
	cp leaf.pem www.example.test
	run pinfast pin www.example.test
	gives 0 "$(pin leaf)"
	rm www.example.test
}

@test "a missing file is not looked for in the DNS" {
	for f in missing.pem missing.der missing.key ./missing missing; do
		run pinfast pin "$f"
		gives 3 'No such file'
	done
}
