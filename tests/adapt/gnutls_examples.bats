#!/usr/bin/env bats
# The examples with GnuTLS, as examples.bash says.

export adapter=gnutls
load examples

setup_file() {
	prepare_examples
}

@test "the client prints a page from a server with the pinned leaf" {
	prints_a_page leaf
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

@test "the server serves a pinned client and refuses another of the same CA" {
	serves_only_the_pinned_client tls1_2 tls1_3
}
