#!/usr/bin/env bats
# examples/renewal/renew-pinned with clients that only sign: the file that the
# server reads changes when the policy agrees, and at no other time.

load helper

example=$BATS_TEST_DIRNAME/../../examples/renewal/renew-pinned

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	openssl ecparam -name prime256v1 -genkey -noout -out root.key
	openssl req -x509 -new -key root.key -subj /CN=Root -days 30 \
	    -addext basicConstraints=critical,CA:TRUE -out root.pem
	mkdir bin
	ln -s "$PINFAST" bin/pinfast
	# What the three have in common: a request in, a chain out.
	cat >bin/sign <<-'END'
		openssl x509 -req -in "$1" -CA root.pem -CAkey root.key \
		    -set_serial 7 -days 20 -copy_extensions copy -out "$2"
		cat root.pem >>"$2"
		echo issued >>issued
	END
	cat >bin/certbot <<-'END'
		#!/bin/sh
		[ "$1 $2" = 'certonly --csr' ] || exit 9
		csr=$3
		while [ "$1" != --fullchain-path ]; do shift; done
		. bin/sign "$csr" "$2"
	END
	cat >bin/lego <<-'END'
		#!/bin/sh
		[ "$1 $3" = '--csr --path' ] || exit 9
		mkdir -p "$4/certificates"
		cp root.pem "$4/certificates/_.example.test.issuer.crt"
		set -- "$2" "$4/certificates/_.example.test.crt"
		. bin/sign
	END
	cat >bin/acme.sh <<-'END'
		#!/bin/sh
		[ "$1 $2 $4" = '--signcsr --csr --fullchain-file' ] || exit 9
		set -- "$3" "$5"
		. bin/sign
	END
	# A dot command takes no arguments of its own in every shell.
	sed -i 's/\. bin\/sign "$csr" "$2"/set -- "$csr" "$2"; . bin\/sign/' \
	    bin/certbot
	chmod 755 bin/*
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
	rm -f ./*.key.new next.key stray.key issued
	export PATH=$PWD/bin:$PATH PINFAST_EXEC_PATH CHECK_OPTIONS
	PINFAST_EXEC_PATH=$(dirname "$PINFAST")
	CHECK_OPTIONS='--ca-file root.pem'
	write_policy leaf "$(pinfast keygen next.key)"
	pinfast keygen stray.key
	echo old >served.pem
}

write_policy() { # list, pin
	printf 'pinfast: 1\nhosts:\n  - { name: www.example.test, %s: [%s] }\n' \
	    "$1" "$2" >policy.yaml
}

renew() { # client, key
	"$example" "$1" policy.yaml "$2" served.pem www.example.test \
	    -- --option
}

@test "each client renews with the key that is pinned" {
	for client in certbot lego acme.sh; do
		echo old >served.pem
		run renew "$client" next.key
		gives 0 '1 fine'
		[ "$(pinfast pin --plain served.pem)" = \
		    "$(pinfast pin --plain next.key)" ]
	done
}

@test "with a key that is not pinned no client is even asked" {
	for client in certbot lego acme.sh; do
		run renew "$client" stray.key
		gives 1 'breaks    www.example.test'
		[ "$(cat served.pem)" = old ]
		[ ! -e issued ]
	done
}

@test "an issuer that is not pinned: issued, and never served" {
	write_policy ca "$(pinfast pin --plain next.key)"
	for client in certbot lego acme.sh; do
		run renew "$client" next.key
		gives 1 'unsure    www.example.test' 'breaks    www.example.test'
		[ "$(cat served.pem)" = old ]
	done
	[ -e issued ]
}

@test "an issuer that is pinned: the request is unsure, the certificate fine" {
	write_policy ca "$(pinfast pin --plain root.pem)"
	run renew certbot next.key
	gives 0 'unsure    www.example.test' 'fine      www.example.test'
}

@test "a client that fails leaves everything as it was" {
	run renew certbot missing.key
	[ "$status" -ne 0 ]
	mv root.key away.key
	run renew acme.sh next.key
	mv away.key root.key
	[ "$status" -ne 0 ]
	[ "$(cat served.pem)" = old ]
	run renew nothing next.key
	gives 2 'CLIENT  certbot, lego or acme.sh'
	run "$example" certbot policy.yaml
	gives 2 'renew-pinned CLIENT POLICY KEY OUT NAME'
}
