#!/usr/bin/env bats
# The examples with mbedTLS, as examples.bash says.

export adapter=mbedtls
load examples

setup_file() {
	prepare_examples
}

@test "the client prints a page from a server with the pinned leaf" {
	prints_a_page leaf -tls1_2
}

@test "the client prints a page from a server under the pinned root" {
	prints_a_page root
}

@test "the client refuses another trusted CA, and says which keys" {
	refuses_another_ca
}

@test "an impostor that appends the pinned certificates gets no request" {
	impostor_gets_no_request
}

@test "the client refuses a name that the certificate does not cover" {
	refuses_another_name
}

@test "without a policy there is no connection" {
	wants_a_policy
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

@test "the server serves a pinned client and refuses another of the same CA" {
	serves_only_the_pinned_client tls1_2
	grep -q 'alert certificate unknown' client.out
}
