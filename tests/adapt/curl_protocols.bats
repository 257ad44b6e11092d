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
	policy two-ca "hosts:\n  - {name: two.test, mode: enforce, ca: [$(pin_of intA)]}"
	ca nobody
	signed foreign nobody 'subjectAltName=DNS:two.test\n'
	cp foreign.pem foreign-chain.pem
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
# SHOWN is whose certificate it has.
serve() {
	local shown=${SHOWN:-leaf}
	: >"$1.out"
	python3 "$BATS_TEST_DIRNAME/curl_server.py" "$2" "$shown-chain.pem" \
	    "$shown.key" ${3:+"$3"} >"$1.out" 3>&- &
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

# store FLAVOUR WHOSE: uploads to an FTP server whose second connection shows
# that certificate.
store() {
	serve one ftp "$2"
	SAID=$("./probe-$1" pin.store trust.pem "ftp://pin.test:$PORT/x" \
	    "at=pin.test:$PORT:127.0.0.1" upload | head -n 1)
	echo "$1 $2: $SAID"
	hear one
}

@test "FTP's second connection is judged before a byte of a file" {
	for flavour in $flavours; do
		store "$flavour" leaf
		[[ $SAID == "0 "*" allow pin-matched 0" ]]
		[[ $HEARD == *"PASS secret"*"data:a file" ]]
		store "$flavour" evil
		[[ $SAID != "0 "* && $HEARD == *"PASS secret"*"data:" ]]
	done
	store libcurl.so.4 evil
	[[ $SAID == *" deny pin-mismatch 0" ]]
}

@test "FTP by way of an HTTPS proxy is in clear, and refused" {
	for flavour in $flavours; do
		serve one proxy
		SAID=$("./probe-$flavour" pin.store trust.pem \
		    ftp://pin.test/x "proxy=https://two.test:$PORT" \
		    "named=two.test:$PORT" "at=two.test:$PORT:127.0.0.1" |
		    head -n 1)
		echo "$flavour: $SAID"
		hear one
		[[ $SAID == "42 "*" deny not-verified 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

@test "HSTS leads to a host that is judged, and never past it" {
	echo 'pin.test "20351231 00:00:00"' >hsts.txt
	transfer libcurl.so.4 pin http https hsts=hsts.txt
	[[ $SAID == "0 "*" allow pin-matched 0" && $HEARD == *"GET /"* ]]
	for flavour in $flavours; do
		transfer "$flavour" pin-wrong http https hsts=hsts.txt
		[[ $SAID == *" deny pin-mismatch 0" ||
		    $SAID == *" leaf-pins deny backend-cannot-prove 0" ]]
		[[ $HEARD == "clear: secret:" ]]
	done
}

# elsewhere FLAVOUR POLICY: pin.test is said to be served by two.test (RFC 7838).
elsewhere() {
	serve one https
	echo "h1 pin.test 443 h1 two.test $PORT \"20351231 00:00:00\" 0 0" \
	    >altsvc.txt
	SAID=$("./probe-$1" "$2.store" trust.pem https://pin.test/ \
	    "at=two.test:$PORT:127.0.0.1" at=pin.test:443:127.0.0.1 \
	    altsvc=altsvc.txt | head -n 1)
	echo "$1 $2: $SAID"
	hear one
}

@test "an alternative service is judged as the host that it stands in for" {
	elsewhere libcurl.so.4 pin
	[[ $SAID == "0 "*" allow pin-matched 0" ]]
	[[ $HEARD == *"Host: pin.test|"* ]]
	for flavour in $flavours; do
		elsewhere "$flavour" pin-wrong
		[[ $SAID == *" deny pin-mismatch 0" ]]
		[[ $HEARD == "clear: secret:" ]]
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

@test "who is refused is who the sentence names" {
	for word in named=two.test:1 asked=https://two.test:1/dns-query; do
		run ./probe-libcurl-gnutls.so.4 two-ca.store trust.pem \
		    https://pin.test/ proxy=https://two.test:1 $word
		echo "$output"
		[[ ${lines[0]} == *" deny backend-cannot-prove -11" ]]
		[[ ${lines[1]} == "denied two.test:1: "* ]]
	done
}

# redirect FLAVOUR POLICY [SHOWN]: from pin.test, of which it says nothing, to
# two.test.
redirect() {
	local second
	SHOWN=${3:-leaf} serve second https
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
	for flavour in libcurl-gnutls.so.4 libcurl-nss.so.4; do
		redirect $flavour two-ca foreign
		[[ $SAID == "60 "*" deny pkix-failed 0" ]]
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
