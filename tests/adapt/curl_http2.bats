#!/usr/bin/env bats
# HTTP/2: two names with one certificate on one address may share a connection
# (RFC 9113, 9.1.1).  A real server says who asked for what, on which.

load helper

root=$BATS_TEST_DIRNAME/../..
# NSS takes no sockets that are files.
flavours='libcurl.so.4 libcurl-gnutls.so.4'

# The server shows this certificate to whom comes from now on.
shows() { # NAME
	cp "$1-chain.pem" shown.pem
	cp "$1.key" shown.key
}

setup_file() {
	command -v nginx >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	make_pki
	signed next intA 'subjectAltName=DNS:pin.test\n'
	cat next.pem intA.pem >next-chain.pem
	for key in leaf next; do
		policy "one-$key" "hosts:\n  - {name: pin.test, mode: enforce, leaf: [$(pin_of "$key")]}"
	done
	shows leaf
	for key in leaf client; do
		policy "two-$key" "hosts:\n  - {name: pin.test, mode: enforce, leaf: [$(pin_of leaf)]}\n  - {name: two.test, mode: enforce, leaf: [$(pin_of $key)]}"
	done
	lib=$(cd "${BUILD_DIR:?}" && pwd)
	for flavour in $flavours; do
		cc -std=c11 -Wall -Wextra -Werror -I"$root/include" \
		    "$BATS_TEST_DIRNAME/curl_say.c" -o "say-$flavour" \
		    -L"$lib/src/adapt" -L"$lib" -lpinfast-curl -lpinfast \
		    "-l:$flavour" "-Wl,-rpath,$lib/src/adapt:$lib"
	done
	cat >nginx.conf <<-END
		daemon off;
		user root;
		pid nginx.pid;
		error_log error.log;
		events {}
		http {
			log_format heard '\$connection \$host \$server_protocol';
			access_log access.log heard;
			client_body_temp_path body;
			proxy_temp_path proxy;
			fastcgi_temp_path fastcgi;
			uwsgi_temp_path uwsgi;
			scgi_temp_path scgi;
			# A name that varies is read anew for each handshake.
			map \$ssl_server_name \$shown {
				default shown;
			}
			server {
				listen unix:$PWD/socket ssl http2;
				ssl_certificate $PWD/\$shown.pem;
				ssl_certificate_key $PWD/\$shown.key;
				return 200 fine;
			}
		}
	END
	nginx -p "$PWD" -c nginx.conf -e error.log 3>&- &
	echo $! >nginx.started
	for _ in $(seq 100); do
		[ ! -S socket ] || return 0
		sleep 0.05
	done
	return 1
}

setup() {
	command -v nginx >/dev/null || skip 'there is no nginx'
}

teardown_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	[ ! -e nginx.started ] || kill "$(cat nginx.started)"
}

# both FLAVOUR POLICY: one handle asks pin.test, then two.test, then both again.
both() {
	cd "$BATS_FILE_TMPDIR" || return 1
	: >access.log
	run "./say-$1" "policy=$2.store" handle http_version=4 \
	    "unix_socket_path=$BATS_FILE_TMPDIR/socket" \
	    url=https://pin.test/ go url=https://two.test/ go \
	    url=https://pin.test/ go url=https://two.test/ go
	echo "$1: $output"
	for _ in $(seq 20); do
		[ "$(wc -l <access.log)" -lt "$3" ] || break
		sleep 0.05
	done
	cat access.log
}

@test "names of one certificate are judged one by one" {
	for flavour in $flavours; do
		both "$flavour" two-leaf 4
		[ "$(grep -c '^0 allow pin-matched$' <<<"$output")" -eq 4 ]
		[ "$(grep -c 'test HTTP/2.0$' access.log)" -eq 4 ]
	done
}

@test "a name of the same certificate that pins another key is asked nothing" {
	for flavour in $flavours; do
		both "$flavour" two-client 2
		[ "$(grep -c '^0 allow pin-matched$' <<<"$output")" -eq 2 ]
		[ "$(grep -c ' deny pin-mismatch$' <<<"$output")" -eq 2 ]
		[ "$(wc -l <access.log)" -eq 2 ]
		! grep -q 'two.test' access.log
	done
}

@test "a refused connection is not met again" {
	cd "$BATS_FILE_TMPDIR" || return 1
	for flavour in $flavours; do
		shows leaf
		: >access.log
		# The pins change and the server's key does, too; then somebody
		# else is met first, where the key is the pinned one later.
		for before in 'policy=one-leaf.store handle' \
		    'policy=one-next.store handle'; do
			shows leaf
			# shellcheck disable=SC2086 # words
			run "./say-$flavour" $before http_version=4 \
			    "unix_socket_path=$PWD/socket" \
			    url=https://pin.test/ go \
			    'run=cp next-chain.pem shown.pem && cp next.key shown.key' \
			    load=one-next.store go go go go
			echo "$flavour: $output"
			[ "$(grep -c ' deny pin-mismatch$' <<<"$output")" -eq 1 ]
			[ "$(grep -c '^0 allow pin-matched$' <<<"$output")" -eq 4 ]
			# What is made anew is kept.
			[ "$(tail -n 1 <<<"$output")" = '0 allow pin-matched' ]
		done
		for _ in $(seq 20); do
			[ "$(wc -l <access.log)" -lt 8 ] || break
			sleep 0.05
		done
		cat access.log
		[ "$(cut -d ' ' -f 1 access.log | uniq | wc -l)" -eq 3 ]
	done
}
