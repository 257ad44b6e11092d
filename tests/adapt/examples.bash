# The examples of an adapter, built against the installed package with
# pkg-config alone, and what each adapter's examples must do against real
# servers.  Who loads this sets `adapter` first.
# shellcheck shell=bash

load helper

root=$BATS_TEST_DIRNAME/../..
: "${adapter:?is whose examples these are}"

# Installs the package and makes policies of the people in helper.bash.
prepare() {
	cd "$BATS_FILE_TMPDIR" || return 1
	DESTDIR=$PWD/root meson install -C "${BUILD_DIR:?}" --no-rebuild --quiet
	make_pki
	policy leaf "hosts:\n  - {name: pin.test, mode: enforce, leaf: [$(pin_of leaf)]}
clients:\n  - {name: partner, leaf: [$(pin_of client)]}"
	policy root "hosts:\n  - {name: pin.test, mode: enforce, pins: [$(pin_of rootA)]}"
	policy wrong "hosts:\n  - {name: pin.test, mode: enforce, pins: [$(pin_of rootB)]}"
	PKG_CONFIG_PATH=$(find root -name "pinfast-$adapter.pc" -printf "$PWD/%h\n")
	PKG_CONFIG_SYSROOT_DIR=$PWD/root
	LD_LIBRARY_PATH=$(find "$PWD/root" -name 'libpinfast.so.0' -printf '%h')
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR LD_LIBRARY_PATH
}

build() { # SOURCE PROGRAM OPTIONS...
	local source=$root/$1 program=$2
	shift 2
	# shellcheck disable=SC2046
	cc -std=gnu11 -Wall -Wextra -Werror -I. "$source" -o "$program" \
	    $(pkg-config --cflags --libs "pinfast-$adapter") "$@"
}

# What most adapters have.
prepare_examples() {
	prepare
	for example in "$adapter-client" "$adapter-server-mtls"; do
		build "examples/$example.c" "$example"
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

teardown() {
	[ -z "${SERVER:-}" ] || stop_server
}

get() { # POLICY HOST
	run "./$adapter-client" "$1.store" "$2" "$PORT" trust.pem 127.0.0.1
}

# A client and a server that is the example; what each said.
mtls() { # CLIENT TLS
	mkfifo from
	"./$adapter-server-mtls" leaf.store partner leaf-chain.pem leaf.key \
	    rootA.pem >from &
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

# ------------------------------------------------------------------- claims

prints_a_page() { # POLICY OPTIONS-OF-THE-SERVER...
	start_server leaf -www "${@:2}"
	get "$1" pin.test
	[ "$status" -eq 0 ]
	[[ $output == *"HTTP/1.0 200 ok"* ]]
}

refuses_another_ca() {
	start_server leaf -www
	get wrong pin.test
	[ "$status" -eq 1 ]
	[[ $output == *"none of the pinned keys"* ]]
	[[ $output == *"shown: $(pin_of leaf)"* ]]
	[[ $output == *"wanted: $(pin_of rootB)"* ]]
}

# The server prints what it is sent; of who is let in it has the request.
impostor_gets_no_request() {
	start_server leaf
	get leaf pin.test &
	comes server.out 'GET '
	stop_server
	start_server evil
	get leaf pin.test
	[ "$status" -eq 1 ]
	[[ $output == *"shown: $(pin_of evil)"* ]]
	stop_server
	unset SERVER
	lacks server.out GET
}

refuses_another_name() {
	start_server leaf -www
	get leaf other.test
	[ "$status" -eq 1 ]
	[[ $output == *"did not verify"* ]]
}

wants_a_policy() {
	run "./$adapter-client" missing.store pin.test 1 trust.pem
	[ "$status" -eq 3 ]
	[[ $output == *"missing.store"* ]]
}

serves_only_the_pinned_client() { # TLS...
	for tls; do
		mtls client "$tls"
		grep -q '^served: 6 bytes' mtls.out
		mtls stranger "$tls"
		grep -q '^refused: .*none of the pinned keys' mtls.out
	done
}
