#!/usr/bin/env bats
# What a server's application received of libcurl's transfers, with every
# flavour of libcurl: logins, proxy credentials, redirects, careless programs.

load helper

root=$BATS_TEST_DIRNAME/../..
flavours='libcurl.so.4 libcurl-gnutls.so.4 libcurl-nss.so.4'

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	make_pki
	for host in pin two; do
		policy "$host" "hosts:\n  - {name: $host.test, mode: enforce, leaf: [$(pin_of leaf)]}"
		policy "$host-wrong" "hosts:\n  - {name: $host.test, mode: enforce, leaf: [$(pin_of client)]}"
	done
	policy ca "hosts:\n  - {name: pin.test, mode: enforce, ca: [$(pin_of intA)]}"
	policy ca-wrong "hosts:\n  - {name: pin.test, mode: enforce, ca: [$(pin_of rootB)]}"
	lib=$(cd "${BUILD_DIR:?}" && pwd)
	for flavour in $flavours; do
		cc -std=c11 -Wall -Wextra -Werror -I"$root/include" \
		    "$BATS_TEST_DIRNAME/curl_probe.c" -o "probe-$flavour" \
		    -L"$lib/src/adapt" -L"$lib" -lpinfast-curl -lpinfast \
		    "-l:$flavour" "-Wl,-rpath,$lib/src/adapt:$lib"
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
}

# serve NAME KIND [LOCATION]: PORT is where it waits for one connection.
serve() {
	: >"$1.out"
	python3 "$BATS_TEST_DIRNAME/curl_server.py" "$2" leaf-chain.pem \
	    leaf.key ${3:+"$3"} >"$1.out" 3>&- &
	SERVERS="${SERVERS:-} $!"
	for _ in $(seq 100); do
		PORT=$(head -n 1 "$1.out")
		[ -z "$PORT" ] || return 0
		sleep 0.05
	done
	return 1
}

# hear NAME: what it received; nobody may have come.
hear() {
	(exec 4<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || :
	# shellcheck disable=SC2086
	wait $SERVERS || :
	SERVERS=
	HEARD=$(sed -n 2p "$1.out")
	echo "received: $HEARD"
}

# transfer FLAVOUR POLICY SCHEME KIND WORDS...
transfer() {
	local flavour=$1 policy=$2 scheme=$3
	serve one "$4"
	shift 4
	SAID=$("./probe-$flavour" "$policy.store" trust.pem \
	    "$scheme://pin.test:$PORT/" "at=pin.test:$PORT:127.0.0.1" "$@" |
	    head -n 1)
	echo "$flavour $policy $scheme: $SAID"
	hear one
}

@test "a login goes to the pinned key" {
	for flavour in $flavours; do
		transfer "$flavour" pin imaps imaps
		[[ $SAID == *" allow pin-matched 0" ]]
		[[ $HEARD == *"LOGIN user secret"* ]]
		transfer "$flavour" pin imap imap
		[[ $SAID == *" allow pin-matched 0" ]]
		[[ $HEARD == *"secret:"*"LOGIN user secret"* ]]
	done
}

@test "no login goes to another key, nor in clear" {
	for flavour in $flavours; do
		for protocol in imaps imap smtp pop3s ftps; do
			transfer "$flavour" pin-wrong "$protocol" "$protocol"
			[[ $SAID == *" deny pin-mismatch 0" ]]
			[[ $HEARD == *"secret:" ]]
			[[ $HEARD != *LOGIN* && $HEARD != *AUTH* ]]
		done
	done
}

@test "an issuer's pin is proved before the login, or nothing is sent" {
	transfer libcurl.so.4 ca imaps imaps
	[[ $SAID == *" allow pin-matched 0" && $HEARD == *LOGIN* ]]
	transfer libcurl.so.4 ca-wrong imaps imaps
	[[ $SAID == *" deny pin-mismatch 0" && $HEARD == *"secret:" ]]
	for flavour in libcurl-gnutls.so.4 libcurl-nss.so.4; do
		transfer "$flavour" ca imaps imaps
		[[ $SAID == "42 "*" deny backend-cannot-prove -11" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

# proxy FLAVOUR POLICY WORDS...
proxy() {
	local flavour=$1 policy=$2
	serve one proxy
	shift 2
	SAID=$("./probe-$flavour" "$policy.store" trust.pem https://pin.test/ \
	    "proxy=https://two.test:$PORT" "at=two.test:$PORT:127.0.0.1" \
	    "${@//PORT/$PORT}" | head -n 1)
	echo "$flavour $policy: $SAID"
	hear one
}

@test "an HTTPS proxy with another key gets neither CONNECT nor credentials" {
	for flavour in $flavours; do
		proxy "$flavour" two named=two.test:PORT
		[[ $HEARD == *"Proxy-Authorization"* ]]
		proxy "$flavour" two-wrong named=two.test:PORT
		[[ $SAID == *" deny pin-mismatch 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

@test "an HTTPS proxy that was not named is judged by its name, or refused" {
	proxy libcurl.so.4 two
	[[ $HEARD == *"Proxy-Authorization"* ]]
	proxy libcurl.so.4 two-wrong
	[[ $SAID == *" deny pin-mismatch 0" && $HEARD == "clear: secret:" ]]
	for flavour in libcurl-gnutls.so.4 libcurl-nss.so.4; do
		proxy "$flavour" two
		[[ $SAID == *" deny backend-cannot-prove 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

# redirect FLAVOUR POLICY: from pin.test, of which it says nothing, to two.test.
redirect() {
	local second
	serve second https
	second=$PORT
	serve first https "https://two.test:$second/there"
	SAID=$("./probe-$1" "$2.store" trust.pem "https://pin.test:$PORT/" \
	    "at=pin.test:$PORT:127.0.0.1" "at=two.test:$second:127.0.0.1" |
	    head -n 1)
	PORT=$second
	echo "$1 $2: $SAID"
	hear second
}

@test "a redirect is judged as the host that it leads to" {
	for flavour in libcurl.so.4 libcurl-gnutls.so.4; do
		redirect $flavour two
		[[ $SAID == *" allow pin-matched 0" ]]
		[[ $HEARD == *"GET /there"* ]]
		redirect $flavour two-wrong
		[[ $SAID == *" deny pin-mismatch 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
	redirect libcurl-nss.so.4 two
	[[ $SAID == *" deny backend-cannot-prove 0" ]]
	[[ $HEARD == "clear: secret:" ]]
}

@test "the multi interface transfers what is pinned, and nothing else" {
	for flavour in $flavours; do
		transfer "$flavour" pin https https multi
		[[ $SAID == "0 "*" allow pin-matched 0" ]]
		transfer "$flavour" pin-wrong https https multi
		[[ $SAID == *" deny pin-mismatch 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

@test "a copied handle and one that was not prepared transfer nothing" {
	for flavour in $flavours; do
		for how in copy unprepared; do
			transfer "$flavour" pin https https $how
			[[ $SAID == "42 "*" deny not-judged 0" ]]
			[[ $HEARD == "clear: secret:" ]]
		done
	done
}

@test "verification that is switched off lets nobody else in" {
	transfer libcurl.so.4 pin https https unverified unnamed
	[[ $SAID == "42 "*" deny not-judged -10" ]]
	[[ $HEARD == "clear: secret:" ]]
	for flavour in libcurl-gnutls.so.4 libcurl-nss.so.4; do
		transfer "$flavour" pin https https unverified unnamed
		[[ $SAID == *" allow pin-matched 0" ]]
		transfer "$flavour" pin-wrong https https unverified unnamed
		[[ $SAID == *" deny pin-mismatch 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

@test "a pinned host is sent nothing in clear" {
	for flavour in $flavours; do
		transfer "$flavour" pin http https
		[[ $SAID == "42 "*" deny not-verified 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}
