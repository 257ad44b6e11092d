#!/usr/bin/env bats
# The examples, built against the installed package with pkg-config alone, and
# run against real servers.

load helper

root=$BATS_TEST_DIRNAME/../..

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	DESTDIR=$PWD/root meson install -C "${BUILD_DIR:?}" --no-rebuild --quiet
	make_pki
	policy leaf "hosts:\n  - {name: pin.test, mode: enforce, leaf: [$(pin_of leaf)]}
clients:\n  - {name: partner, leaf: [$(pin_of client)]}"
	policy root "hosts:\n  - {name: pin.test, mode: enforce, pins: [$(pin_of rootA)]}"
	policy wrong "hosts:\n  - {name: pin.test, mode: enforce, pins: [$(pin_of rootB)]}"
	PKG_CONFIG_PATH=$(find root -name pinfast-mbedtls.pc -printf "$PWD/%h\n")
	PKG_CONFIG_SYSROOT_DIR=$PWD/root
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
	for example in mbedtls-client mbedtls-server-mtls; do
		# shellcheck disable=SC2046
		cc -std=gnu11 -Wall -Wextra -Werror "$root/examples/$example.c" \
		    -o "$example" $(pkg-config --cflags --libs pinfast-mbedtls)
	done
	LD_LIBRARY_PATH=$(find "$PWD/root" -name 'libpinfast.so.0' -printf '%h')
	export LD_LIBRARY_PATH
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

teardown() {
	[ -z "${SERVER:-}" ] || stop_server
}

get() { # POLICY HOST
	run ./mbedtls-client "$1.store" "$2" "$PORT" trust.pem 127.0.0.1
}

@test "a program needs the C library, mbedTLS and pinfast, and nothing else" {
	run ldd mbedtls-client mbedtls-server-mtls
	[ "$status" -eq 0 ]
	others=$(printf '%s\n' "$output" | grep '=>' |
	    grep -vE 'lib(c|mbedtls|mbedx509|mbedcrypto|pinfast|pinfast-mbedtls)\.so' || :)
	[ -z "$others" ] || { echo "$others" && false; }
}

without() { # WHAT, and what the compiler must say
	printf '#undef %s\n' "$1" >less.h
	! cc -std=gnu11 -fsyntax-only -I"$root/include" -I"$root/src" -I. \
	    "-DMBEDTLS_USER_CONFIG_FILE=\"less.h\"" "$root/src/adapt/mbed/mbed_end.c" \
	    2>less.log
	grep -q "error.*pinfast needs" less.log
}

@test "a mbedTLS that lacks what the check needs is refused by the compiler" {
	without MBEDTLS_HAVE_TIME_DATE
	without MBEDTLS_SSL_SERVER_NAME_INDICATION
	without MBEDTLS_X509_CRT_PARSE_C
	without 'MBEDTLS_VERSION_C
#define MBEDTLS_X509_ALLOW_UNSUPPORTED_CRITICAL_EXTENSION'
	# What it can do without.
	for option in MBEDTLS_SSL_SRV_C MBEDTLS_SSL_CLI_C \
	    MBEDTLS_SSL_SESSION_TICKETS MBEDTLS_SSL_KEEP_PEER_CERTIFICATE; do
		printf '#undef %s\n' "$option" >less.h
		for source in "$root"/src/adapt/mbed/*.c; do
			cc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only \
			    -I"$root/include" -I"$root/src" -I. \
			    "-DMBEDTLS_USER_CONFIG_FILE=\"less.h\"" "$source"
		done
	done
}

@test "the client prints a page from a server with the pinned leaf" {
	start_server leaf -www -tls1_2
	get leaf pin.test
	[ "$status" -eq 0 ]
	[[ $output == *"HTTP/1.0 200 ok"* ]]
}

@test "the client prints a page from a server under the pinned root" {
	start_server leaf -www
	get root pin.test
	[ "$status" -eq 0 ]
	[[ $output == *"HTTP/1.0 200 ok"* ]]
}

@test "the client refuses another trusted CA, and says which keys" {
	start_server leaf -www
	get wrong pin.test
	[ "$status" -eq 1 ]
	[[ $output == *"none of the pinned keys"* ]]
	[[ $output == *"shown: $(pin_of leaf)"* ]]
	[[ $output == *"wanted: $(pin_of rootB)"* ]]
}

@test "an impostor that appends the pinned certificates gets no request" {
	start_server evil -rev
	get leaf pin.test
	[ "$status" -eq 1 ]
	[[ $output == *"shown: $(pin_of evil)"* ]]
	stop_server
	! grep -q GET server.out
	unset SERVER
}

@test "the client refuses a name that the certificate does not cover" {
	start_server leaf -www
	get leaf other.test
	[ "$status" -eq 1 ]
	[[ $output == *"did not verify"* ]]
}

@test "without a policy there is no connection" {
	run ./mbedtls-client missing.store pin.test 1 trust.pem
	[ "$status" -eq 3 ]
	[[ $output == *"missing.store"* ]]
}

mtls() { # CLIENT
	mkfifo from
	./mbedtls-server-mtls leaf.store partner leaf-chain.pem leaf.key rootA.pem \
	    >from &
	local server=$!
	exec 8<from
	read -r _ PORT <&8
	{ echo hello; cat <&8 >mtls.out; } |
	    openssl s_client -connect "127.0.0.1:$PORT" -cert "$1.pem" \
	        -cert_chain "$1-chain.pem" -key "$1.key" -tls1_2 -quiet \
	        -no_ign_eof >client.out 2>&1 || :
	wait "$server"
	exec 8<&-
	rm from
}

@test "the server serves a pinned client and refuses another of the same CA" {
	mtls client
	grep -q '^served: 6 bytes' mtls.out
	mtls stranger
	grep -q '^refused: .*none of the pinned keys' mtls.out
	grep -q 'alert certificate unknown' client.out
}
