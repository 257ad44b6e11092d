#!/usr/bin/env bats
# The example, built against the installed package with pkg-config alone, and
# run with every flavour of libcurl against real servers.

export adapter=curl
load examples

setup_file() {
	prepare
	policy wrong "hosts:\n  - {name: pin.test, mode: enforce, leaf: [$(pin_of evil)]}"
	for flavour in libcurl.so.4 libcurl-gnutls.so.4 libcurl-nss.so.4; do
		build examples/curl-client.c "client-$flavour" -std=c11 \
		    "-l:$flavour"
	done
}

get() { # FLAVOUR POLICY
	run "./client-$1" "$2.store" "https://pin.test:$PORT/" trust.pem \
	    "pin.test:$PORT:127.0.0.1"
}

@test "every flavour prints a page from a server with the pinned leaf" {
	start_server leaf -www
	for flavour in libcurl.so.4 libcurl-gnutls.so.4 libcurl-nss.so.4; do
		get $flavour leaf
		echo "$flavour: $output"
		[ "$status" -eq 0 ]
		[[ $output == *"Ciphers supported"* ]]
	done
}

@test "every flavour refuses another leaf, and says why" {
	start_server leaf -www
	for flavour in libcurl.so.4 libcurl-gnutls.so.4 libcurl-nss.so.4; do
		get $flavour wrong
		echo "$flavour: $output"
		[ "$status" -eq 1 ]
		[[ $output == *"none of the pinned keys"* ]]
	done
}

@test "a pinned root is found where the TLS library shows its path" {
	start_server leaf -www
	get libcurl.so.4 root
	echo "$output"
	[ "$status" -eq 0 ]
	get libcurl-nss.so.4 root
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"cannot prove"* ]]
}

@test "no libcurl is loaded beside the application's" {
	for flavour in libcurl.so.4 libcurl-gnutls.so.4 libcurl-nss.so.4; do
		run ldd "./client-$flavour"
		[ "$(grep -c 'libcurl' <<<"$output")" -eq 1 ]
	done
	run readelf -d "$(find root -name 'libpinfast-curl.so.0')"
	[[ $output != *"[libcurl"* ]]
	[[ $output != *"[libssl"* ]]
	[[ $output != *"[libgnutls"* ]]
}
