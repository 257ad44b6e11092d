# Certificates and servers for the tests of the live commands.  Every server
# listens on a port of loopback that nobody else has; what was started is
# ended by end_servers, by its number.

load certs

# A root, an intermediate, and leaves of both kinds for www.example.test and
# loopback; `next` is another key for the same names.
make_world() {
	local ca=basicConstraints=critical,CA:TRUE
	local names=subjectAltName=DNS:www.example.test,DNS:mail.example.test,IP:127.0.0.1,IP:::1
	make_cert root - /CN=Root "$ca"
	make_cert int root /CN=Intermediate "$ca"
	make_cert leaf int /CN=leaf "$names"
	make_cert next int /CN=next "$names"
	KEYTYPE=rsa make_cert rsa int /CN=rsa "$names"
	make_cert self - /CN=self "$names"
	for n in leaf next rsa; do
		cat $n.pem int.pem >$n-chain.pem
	done
}

# The servers that most tests ask; the port of each stands in a file: `good`
# shows the leaf, `both` also the RSA one, `old` what is not pinned.
plain_servers() {
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem
	echo "$PORT" >good
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem \
	    -dcert rsa.pem -dkey rsa.key -dcert_chain int.pem
	echo "$PORT" >both
	tls_server 127.0.0.1 -cert next.pem -key next.key -cert_chain int.pem
	echo "$PORT" >old
}

# Options that lead one name to the ports given.
at() {
	for port; do
		printf -- '--connect-to\nwww.example.test:443:127.0.0.1:%s\n' \
		    "$port"
	done
}

# Reads into PORT the port that a server in the background prints, from its log.
await_port() { # log, pattern
	local port
	for _ in $(seq 100); do
		port=$(sed -n "$2" "$1" | head -n 1)
		if [ -n "$port" ]; then
			# shellcheck disable=SC2034
			PORT=$port
			return 0
		fi
		sleep 0.05
	done
	cat "$1" >&2
	return 1
}

# tls_server ADDRESS ARGUMENTS...: an openssl s_server; PORT is where.
tls_server() {
	local address=$1
	shift
	LOG=$(mktemp "${BATS_TEST_TMPDIR:-.}/server.XXXXXX")
	openssl s_server -accept "$address:0" -www "$@" >"$LOG" 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/started"
	await_port "$LOG" 's/^ACCEPT .*:\([0-9]*\).*$/\1/p'
}

# manner_server MANNER ARGUMENTS...; LOG is what it says.
manner_server() {
	LOG=$(mktemp "${BATS_TEST_TMPDIR:-.}/server.XXXXXX")
	python3 "$BATS_TEST_DIRNAME/server.py" "$@" >"$LOG" 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/started"
	await_port "$LOG" '1s/^\([0-9]*\)$/\1/p'
}

# interrupt_after LINE FILE SIGNAL: the program in the background, $pid, whose
# output goes to `said`, when a line is there.  What it says is the output.
interrupt_after() {
	for _ in $(seq 400); do
		! grep -q "$1" "$2" || break
		sleep 0.05
	done
	kill "-$3" "$pid"
	status=0
	wait "$pid" || status=$?
	output=$(cat said)
}

end_servers() {
	local pid
	[ -f "$BATS_FILE_TMPDIR/started" ] || return 0
	while read -r pid; do
		kill "$pid" 2>/dev/null || :
	done <"$BATS_FILE_TMPDIR/started"
	rm -f "$BATS_FILE_TMPDIR/started"
}
