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
	PKG_CONFIG_PATH=$(find root -name pinfast-wolfssl.pc -printf "$PWD/%h\n")
	PKG_CONFIG_SYSROOT_DIR=$PWD/root
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
	for example in wolfssl-client wolfssl-server-mtls; do
		# shellcheck disable=SC2046
		cc -std=gnu11 -Wall -Wextra -Werror -I. "$root/examples/$example.c" \
		    -o "$example" $(pkg-config --cflags --libs pinfast-wolfssl)
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
	run ./wolfssl-client "$1.store" "$2" "$PORT" trust.pem 127.0.0.1
}

@test "the client prints a page from a server with the pinned leaf" {
	start_server leaf -www
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
	run ./wolfssl-client missing.store pin.test 1 trust.pem
	[ "$status" -eq 3 ]
	[[ $output == *"missing.store"* ]]
}

mtls() { # CLIENT TLS
	mkfifo from
	./wolfssl-server-mtls leaf.store partner leaf-chain.pem leaf.key rootA.pem \
	    >from &
	local server=$!
	exec 8<from
	read -r _ PORT <&8
	{ echo hello; cat <&8 >mtls.out; } |
	    openssl s_client -connect "127.0.0.1:$PORT" -cert "$1.pem" \
	        -cert_chain "$1-chain.pem" -key "$1.key" "-$2" -quiet \
	        -no_ign_eof >client.out 2>&1 || :
	wait "$server"
	exec 8<&-
	rm from
}

@test "the server serves a pinned client and refuses another of the same CA" {
	for tls in tls1_2 tls1_3; do
		mtls client $tls
		grep -q '^served: 6 bytes' mtls.out
		mtls stranger $tls
		grep -q '^refused: .*none of the pinned keys' mtls.out
	done
}
