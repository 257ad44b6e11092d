#!/usr/bin/env bats
# Options of libcurl that lead a transfer elsewhere than its URL says, and
# schemes that log in before anybody is asked.  What counts is what the server
# was sent.

export adapter=curl
load examples

setup_file() {
	prepare
	signed other intA 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2\n'
	cat other.pem intA.pem >other-chain.pem
	policy evil "hosts:\n  - {name: pin.test, leaf: [$(pin_of evil)]}\n  - {name: 127.0.0.2, leaf: [$(pin_of evil)]}"
	policy none "hosts:\n  - {name: nobody.test, leaf: [$(pin_of evil)]}"
	build tests/adapt/curl_say.c say -std=c11 -lpinfast -l:libcurl.so.4
}

# A server without TLS, which greets and keeps what it is sent.
start_listener() { # GREETING
	: >heard
	rm -f said
	mkfifo said
	python3 -u -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
while True:
    c, _ = s.accept()
    f = open("heard", "ab", 0)
    f.write(b"somebody came\n")
    c.sendall(sys.argv[1].encode() + b"\r\n")
    c.settimeout(2)
    try:
        while True:
            d = c.recv(4096)
            if not d:
                break
            f.write(d)
            c.sendall(d.split()[0] + b" OK\r\n")
    except OSError:
        pass
    c.close()
' "$1" >said &
	SERVER=$!
	exec 7<said
	read -r PORT <&7
}

@test "CURLOPT_CURLU does not lead past the judge" {
	start_listener ""
	run ./say policy=evil.store handle "url=http://127.0.0.1:$PORT/" \
	    "curlu=http://pin.test:$PORT/" "connect_to=::127.0.0.1:$PORT" \
	    userpwd=u:secret go
	echo "$output" && cat heard
	lacks heard 'Host: pin.test'
}

@test "CURLOPT_PORT does not lead past the entry of its port" {
	start_server leaf
	policy port "hosts:\n  - {name: pin.test, port: $PORT, leaf: [$(pin_of evil)]}"
	run ./say policy=port.store handle "url=https://pin.test/" "port=$PORT" \
	    "resolve=pin.test:$PORT:127.0.0.1" userpwd=u:secret go
	echo "$output"
	[[ $output != *allow* ]]
	stop_server
	lacks server.out Authorization
}

@test "CURLOPT_USE_SSL of a host without an entry is left alone" {
	start_listener '* OK [CAPABILITY IMAP4rev1] hi'
	run ./say policy=evil.store handle "url=imap://127.0.0.1:$PORT/x" \
	    use_ssl=3 userpwd=u:secret go
	echo "$output" && cat heard
	grep -q 'came' heard
	lacks heard secret
}

@test "schemes that have no TLS do not reach a host that needs it" {
	start_listener 'SSH-2.0-x'
	for scheme in sftp scp smb rtmp telnet dict; do
		run ./say policy=evil.store handle \
		    "url=$scheme://pin.test:$PORT/a/b" userpwd=u:secret \
		    "resolve=pin.test:$PORT:127.0.0.1" go
		echo "$scheme: $output"
		[[ $output == *"deny not-verified" ]]
	done
	[ ! -s heard ]
}

@test "handles of two policies do not share a connection" {
	start_server leaf -www
	run ./say policy=none.store handle share "url=https://pin.test:$PORT/" \
	    "resolve=pin.test:$PORT:127.0.0.1" go \
	    policy=evil.store handle share "url=https://pin.test:$PORT/" \
	    "resolve=pin.test:$PORT:127.0.0.1" go
	echo "$output"
	[[ ${lines[0]} == "0 allow unlisted" ]]
	[[ ${lines[1]} == *" deny "* ]]
}

@test "an HTTPS proxy that is an address does not pass for the origin" {
	start_server other -accept 127.0.0.2:0
	run ./say policy=evil.store handle "url=https://127.0.0.1:$PORT/" \
	    "proxy=https://127.0.0.2:$PORT" proxyuserpwd=u:secret go
	echo "$output"
	[[ $output == *"deny"* ]]
	stop_server
	lacks server.out Proxy-Authorization
}
