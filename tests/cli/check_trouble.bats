#!/usr/bin/env bats
# `pinfast check` where servers, networks and users do not let it finish: no
# answer is no verdict, and what is known is told.

load helper
load servers
load check

# -------------------------------------------------- servers that do not work

@test "no answer is no verdict" {
	for manner in dead silent drip garbage closing alert; do
		run check --timeout 1.5 $(at www.example.test:443 $manner)
		gives 3 'undecided  www.example.test:443' '127.0.0.1: ' \
		    '1 undecided, 0 denied'
	done
}

# The messages of TLS 1.3 are ServerHello, EncryptedExtensions, Certificate,
# CertificateVerify and Finished; with the last one the key is proved.  Those
# of 1.2 are ServerHello, Certificate, ServerKeyExchange and ServerHelloDone.
@test "an alert behind each message is no verdict, and spoils no other" {
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }"
	for tls in 1.2 1.3; do
		for after in 0 1 2 3 4; do
			manner_server alert-after --tls $tls --after $after \
			    --cert leaf-chain.pem --key leaf.key
			echo "$PORT" >alerting
			run check --json $(at mail.example.test:443 alerting) \
			    $(at www.example.test:443 good)
			gives 3 'the alert \"internal error\"'
			holds 'v["ok"] == 1 and v["undecided"] == 1'
			holds 's["www.example.test:443"]["status"] == "ok"'
			holds 'all(c["failed-at"] == "handshake" and not c.get("decision") for c in s["mail.example.test:443"]["connections"])'
			run pinfast pin --plain --ca-file root.pem \
			    $(at www.example.test:443 alerting) www.example.test
			gives 3 'handshake: it ended the handshake with the alert "internal error"'
			[[ $output != *sha256/* ]]
		done
	done
	manner_server alert-after --after 5 --cert leaf-chain.pem \
	    --key leaf.key
	echo "$PORT" >alerting
	run check $(at mail.example.test:443 alerting) \
	    $(at www.example.test:443 good)
	gives 0 '2 ok'
}

@test "a key that is denied stays denied, whatever alert follows" {
	policy "{ name: www.example.test, leaf: [$(pin next)] }"
	manner_server alert-after --after 4 --cert leaf-chain.pem \
	    --key leaf.key
	run check --connect-to "::127.0.0.1:$PORT"
	gives 1 'denied     www' "shown: $(pin leaf)"
}

@test "servers are told in the order of the policy" {
	policy "{ name: mail.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: $(cat silent), leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: $(cat good), leaf: [$(pin leaf)] }"
	for _ in 1 2; do
		run check --timeout 1.5 $(at mail.example.test:443 drip) \
		    $(at www.example.test:443 good)
		gives 3
		[[ ${lines[0]} == 'undecided  mail'* ]]
		[[ ${lines[2]} == 'ok         www'* ]]
		[[ ${lines[3]} == 'undecided  127'* ]]
		[[ ${lines[5]} == 'ok         127'* ]]
		run check --json --timeout 1.5 --junit order.xml \
		    $(at mail.example.test:443 drip) \
		    $(at www.example.test:443 good)
		holds '[x["host"][0] for x in v["servers"]] == ["m", "w", "1", "1"]'
		[ "$(grep -o 'name="[mw1]' order.xml | tr -d '\n')" = \
		    'name="mname="wname="1name="1' ]
	done
}

@test "a server that does not work delays and spoils no other" {
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: $(cat silent), leaf: [$(pin leaf)] }"
	run check --timeout 3 $(at mail.example.test:443 drip) \
	    $(at www.example.test:443 good)
	gives 3 'ok         www' 'undecided  mail' 'undecided  127' \
	    '1 ok, 0 reported, 2 undecided'
	# What works is told first.
	[[ ${lines[0]} == ok* ]]
}

# Everything that may go wrong, side by side in one run: each server gets the
# word and the sentence that it gets alone.
@test "all kinds of trouble at once" {
	local many=() i port word text
	tls_server 0.0.0.0 -cert leaf.pem -key leaf.key -cert_chain int.pem
	for i in 2 3 4 5 6 7 8; do
		many+=(--connect-to "www.example.test:1008:127.0.0.$i:$PORT")
	done
	cp int.pem hundred.pem
	for i in $(seq 98); do cat root.pem; done >>hundred.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key \
	    -cert_chain hundred.pem
	many+=(--connect-to "www.example.test:1100:127.0.0.1:$PORT")
	cat root.pem >>hundred.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key \
	    -cert_chain hundred.pem
	many+=(--connect-to "www.example.test:1101:127.0.0.1:$PORT")
	if [ -e /proc/net/if_inet6 ]; then
		tls_server '[::1]' -cert leaf.pem -key leaf.key \
		    -cert_chain int.pem
		many+=(--connect-to "www.example.test:1006:[::1]:$PORT")
	else
		many+=($(at www.example.test:1006 good))
	fi
	manner_server alert-after --after 3 --cert leaf-chain.pem \
	    --key leaf.key
	echo "$PORT" >midway
	manner_server smtp-refusing
	many+=(--connect-to "www.example.test:25:127.0.0.1:$PORT")
	policy "{ name: nowhere.invalid, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 25, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 443, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1001, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1002, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1003, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1004, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1005, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1006, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1007, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1008, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1009, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1100, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 1101, leaf: [$(pin leaf)] }"
	run check --json --timeout 4 "${many[@]}" \
	    $(at www.example.test:443 good) \
	    $(at www.example.test:1001 dead) \
	    $(at www.example.test:1002 silent) \
	    $(at www.example.test:1003 drip) \
	    $(at www.example.test:1004 garbage) \
	    $(at www.example.test:1005 closing) \
	    $(at www.example.test:1007 alert) \
	    $(at www.example.test:1008 old) \
	    $(at www.example.test:1009 midway)
	gives 1
	while read -r port word text; do
		holds "s['www.example.test:$port']['status'] == '$word'"
		[ -z "$text" ] || holds "any('''$text''' in c.get('failed-at', '') + ': ' + c.get('why', '') for c in s['www.example.test:$port']['connections'])"
	done <<-'END'
		443 ok
		25 undecided starttls: the server
		1001 undecided connect: nothing listens there
		1002 undecided handshake: no TLS handshake in 4 s
		1003 undecided handshake: no TLS handshake in 4 s
		1004 undecided handshake: what it answered is not TLS
		1005 undecided handshake: it closed the connection
		1006 ok
		1007 undecided handshake: it ended the handshake with the alert "handshake failure"
		1008 denied : denied
		1009 undecided handshake: it ended the handshake with the alert "internal error"
		1100 ok
		1101 undecided handshake: it shows more than 100 certificates
	END
	holds 's["nowhere.invalid:443"]["status"] == "undecided"'
	holds 's["nowhere.invalid:443"]["connections"][0]["failed-at"] == "resolve"'
	holds 'v["ok"] == 3 and v["denied"] == 1 and v["undecided"] == 10'
	holds 'sorted(c["status"] for c in s["www.example.test:1008"]["connections"]) == ["denied"] + 7 * ["ok"]'
}

@test "one dead address of several leaves the server undecided" {
	run check $(at www.example.test:443 good dead)
	gives 3 'undecided  www' 'nothing listens'
	run check $(at www.example.test:443 old dead)
	gives 1 'denied     www'
	# A kind of key that nobody has shown is not among those it has.
	manner_server again-broken --far "$(cat good)"
	run check --connect-to "www.example.test:443:127.0.0.1:$PORT"
	gives 3 '1 address, ecdsa, leaf '
}

@test "a name that does not resolve" {
	run check nowhere.invalid
	gives 3 'undecided  nowhere.invalid:443  no address' 'resolve: '
}

# signal, status
expect_what_is_there() {
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: $(cat silent), leaf: [$(pin leaf)] }"
	echo old >metrics.prom
	manner_server again-no --far "$(cat good)"
	check_in_background --timeout 30 --junit junit.xml \
	    --prometheus metrics.prom \
	    --connect-to "www.example.test:443:127.0.0.1:$PORT"
	interrupt_after 'it has left' "$LOG" "$1"
	gives "$2" 'ok         www.example.test:443' '1 ok' ', interrupted'
	grep -q 'name="www.example.test:443"' junit.xml
	[ "$(cat metrics.prom)" = old ]
}

@test "SIGINT: what is there is told, and 130" {
	expect_what_is_there INT 130
}

@test "SIGTERM: what is there is told, and 143" {
	expect_what_is_there TERM 143
}

@test "SIGINT: what waits behind a silent server is told as well" {
	policy "{ name: 127.0.0.1, port: $(cat silent), leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, leaf: [$(pin leaf)] }"
	manner_server again-no --far "$(cat good)"
	check_in_background --timeout 30 \
	    --connect-to "www.example.test:443:127.0.0.1:$PORT"
	interrupt_after 'it has left' "$LOG" INT
	gives 130 'ok         www.example.test:443' '1 ok' ', interrupted'
	[[ $output != *127.0.0.1:* ]]
}

@test "SIGINT: a server that is half looked at is not ok" {
	policy "{ name: 127.0.0.1, leaf: [$(pin leaf)] }"
	manner_server again-no --far "$(cat good)"
	check_in_background --timeout 30 --json \
	    --connect-to "127.0.0.1:443:127.0.0.1:$PORT" $(at 127.0.0.1:443 silent)
	interrupt_after 'it has left' "$LOG" INT
	gives 130
	holds 'v["ok"] == 0 and v["undecided"] == 1 and v["interrupted"]'
	holds 'sorted(c["status"] for c in s["127.0.0.1:443"]["connections"]) == ["ok", "undecided"]'
	holds '[c["why"] for c in s["127.0.0.1:443"]["connections"] if "why" in c] == ["interrupted"]'
}

check_in_background() {
	# Shells let background commands ignore SIGINT.
	python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$PINFAST" check policy.yaml \
	    --ca-file root.pem "$@" >said 2>&1 3>&- &
	pid=$!
}

# ------------------------------------------------- networks that do not work

# can_unshare OPTIONS
can_unshare() {
	unshare "$@" ip link add name here type veth peer name there ||
	    skip 'no networks of our own here'
}

# Many hosts behind one address use up its ports, which the system reports as it
# does a family of addresses that there is not.
@test "without a free port for the second question nothing is ok" {
	can_unshare -rn
	cat >one_port.sh <<'E'
set -e
ip link set lo up
. "$BATS_TEST_DIRNAME/helper.bash"
load() { . "$BATS_TEST_DIRNAME/$1.bash"; }
. "$BATS_TEST_DIRNAME/servers.bash"
tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem \
    -dcert rsa.pem -dkey rsa.key -dcert_chain int.pem
to=www.example.test:443:127.0.0.1:$PORT
echo '50000 50000' >/proc/sys/net/ipv4/ip_local_port_range
status=0
pinfast check policy.yaml --ca-file root.pem --connect-to "$to" || status=$?
pinfast init --ca-file root.pem --connect-to "$to" www.example.test ||
    exit $status$?
E
	export PINFAST BATS_TEST_DIRNAME BATS_FILE_TMPDIR
	run unshare -rn bash one_port.sh
	[ "$status" -eq 33 ]
	says '127.0.0.1: rsa: connect: this machine has no free port'
	says 'www.example.test:443: left out: '
}

# in_network OPTIONS: a script, its standard input, in a network of its own.
in_network() {
	cat >network.sh
	export PINFAST BATS_TEST_DIRNAME BATS_FILE_TMPDIR
	unshare "$@" bash -c '
set -e
ip link set lo up
. "$BATS_TEST_DIRNAME/helper.bash"
load() { . "$BATS_TEST_DIRNAME/$1.bash"; }
. "$BATS_TEST_DIRNAME/servers.bash"
ip link add name here type veth peer name there
ip link set here up
ip link set there up
network() {
	local PORT
	python3 "$BATS_TEST_DIRNAME/network.py" "$@" >network.log 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/started"
	await_port network.log "s/^ready/0/p"
}
tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem
. ./network.sh'
}

# That there is no route from here says nothing about a server; that one ends
# somewhere does.
@test "an address that a router knows no way to is not passed over" {
	can_unshare -rn
	run in_network -rn <<'E'
ip addr add 192.0.2.1/24 dev here
ip neigh add 192.0.2.7 dev here nud permanent lladdr \
    "$(ip -o link show there | sed 's/.*ether \([^ ]*\).*/\1/')"
network router there 192.0.2.254
to=www.example.test:443
pinfast check policy.yaml --ca-file root.pem --timeout 5 \
    --connect-to "$to:127.0.0.1:$PORT" --connect-to "$to:198.51.100.1:443"
pinfast check policy.yaml --ca-file root.pem --timeout 5 \
    --connect-to "$to:127.0.0.1:$PORT" --connect-to "$to:192.0.2.7:443"
E
	gives 3 '198.51.100.1: connect: there is no route to this address from here' \
	    '1 ok, 0 reported, 0 undecided' \
	    '192.0.2.7: connect: a router on the way says that there is no route' \
	    '0 ok, 0 reported, 1 undecided'
}

@test "a name whose IPv6 addresses cannot be looked up is not whole" {
	can_unshare -rmn
	run in_network -rmn <<'E'
echo nameserver 127.0.0.1 >resolv
echo 'hosts: dns' >nss
mount --bind resolv /etc/resolv.conf
mount --bind nss /etc/nsswitch.conf
network names
sed "s/test,/test, port: $PORT,/" policy.yaml >port.yaml
# A machine without IPv6 could not have gone there.
pinfast check port.yaml --ca-file root.pem
ip -6 addr add 2001:db8::1/64 dev here nodad
ip -6 route add default dev here
status=0
pinfast pin --ca-file root.pem "www.example.test:$PORT" || status=$?
pinfast init --ca-file root.pem "www.example.test:$PORT" || status+=$?
echo "pin and init: $status"
pinfast check port.yaml --ca-file root.pem
E
	gives 3 'resolve: its IPv6 addresses could not be looked up (AAAA)' \
	    '1 ok, 0 reported, 0 undecided' '0 ok, 0 reported, 1 undecided' \
	    'left out: every address must answer' 'pin and init: 33'
}
