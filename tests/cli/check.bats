#!/usr/bin/env bats
# `pinfast check` against live servers: what it calls ok is little, one bad
# server spoils no other, and every output says the same.

load helper
load servers
load check

# -------------------------------------------------------------- one server

@test "a pinned key on a verified path" {
	run check $(at www.example.test:443 good)
	gives 0 'ok         www.example.test:443  1 address, ecdsa, leaf ' \
	    '0 backup pins' '1 ok, 0 reported, 0 undecided, 0 denied'
}

# What the second handshake, for the other kind of key, may hide.
@test "only a server that says so has no key of the other kind" {
	for manner in again-no again-closing; do
		manner_server $manner --far "$(cat good)"
		echo "$PORT" >again
		run check $(at www.example.test:443 again)
		gives 0 'ok         www.example.test:443'
		# How that is known is told.
		[ $manner = again-no ] ||
		    says '127.0.0.1: rsa: it hung up when it was asked'
		[ $manner != again-no ] || [[ $output != *rsa* ]]
	done
	manner_server again-closing --far "$(cat good)"
	run check --json --connect-to "::127.0.0.1:$PORT"
	gives 0
	holds '[(c["key"], c.get("absent")) for c in v["servers"][0]["connections"]] == [("ecdsa", None), ("rsa", True)]'
	manner_server again-broken --far "$(cat good)"
	echo "$PORT" >again
	run check $(at www.example.test:443 again)
	gives 3 'undecided  www.example.test:443' 'internal error'
	for i in $(seq 101); do cat int.pem; done >many.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem \
	    -dcert rsa.pem -dkey rsa.key -dcert_chain many.pem
	echo "$PORT" >again
	run check $(at www.example.test:443 again)
	gives 3 'undecided  www.example.test:443' 'more than 100 certificates'
}

@test "an output does not overwrite what is read" {
	before=$(cksum policy.yaml root.pem)
	touch out.prom
	for option in --junit --prometheus; do
		run check "$option" policy.yaml
		gives 2 'would overwrite the policy'
		run check "$option" ./root.pem
		gives 2 'would overwrite the policy or the anchors'
	done
	run check --prometheus out.prom --junit ./out.prom
	gives 2 'cannot share'
	ln -sf away.prom link.prom
	for option in --junit --prometheus; do
		run check "$option" link.prom
		gives 2 'is a symbolic link'
	done
	[ -L link.prom ] && [ ! -e away.prom ]
	[ "$before" = "$(cksum policy.yaml root.pem)" ]
}

@test "a secret in a misspelt option is not repeated" {
	run check --Proxy=http://me:s3cret@127.0.0.1:1
	gives 2 'no such option `--Proxy`'
	[[ $output != *s3cret* ]]
	for stray in http://me:s3cret@127.0.0.1:1 me:s3cret@127.0.0.1:1; do
		run check $stray
		gives 2 'is a URL'
		[[ $output != *s3cret* ]]
		for command in pin init; do
			run pinfast $command --timeout 1 $stray
			[ "$status" -ne 0 ]
			[[ $output != *s3cret* ]]
		done
	done
	run pinfast check http://me:s3cret@127.0.0.1:1 policy.yaml
	gives 2 'is a URL'
	[[ $output != *s3cret* ]]
}

@test "another key is denied, and the keys are named" {
	run check $(at www.example.test:443 old)
	gives 1 'denied     www.example.test:443' \
	    '127.0.0.1: ecdsa: denied' "shown: $(pin next)" \
	    "wanted: $(pin leaf)"
}

@test "a compiled policy" {
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast check policy.store --ca-file root.pem \
	    $(at www.example.test:443 good)
	gives 0 '1 ok'
	run pinfast check policy.store --ca-file root.pem \
	    $(at www.example.test:443 old)
	gives 1 '1 denied'
}

@test "an RSA certificate beside the ECDSA one is not overlooked" {
	run check $(at www.example.test:443 both)
	gives 1 '127.0.0.1: rsa: denied' "shown: $(pin rsa)"
	[[ $output != *'ecdsa: denied'* ]]
	policy "{ name: www.example.test, leaf: [$(pin leaf), $(pin rsa), $(pin self)] }"
	run check $(at www.example.test:443 both)
	gives 0 'ecdsa, rsa, leaf' '1 backup pin'
}

# The second question offers all groups that the first one does.
@test "an RSA certificate behind finite fields is not overlooked" {
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain int.pem \
	    -dcert rsa.pem -dkey rsa.key -dcert_chain int.pem -tls1_3 \
	    -groups ffdhe2048
	run check --connect-to "www.example.test:443:127.0.0.1:$PORT"
	gives 1 '127.0.0.1: rsa: denied'
}

@test "of two addresses the one with an old key is found" {
	run check $(at www.example.test:443 good old)
	gives 1 'denied     www.example.test:443' "shown: $(pin next)"
	run check --json $(at www.example.test:443 good old)
	gives 1
	holds '[c["status"] for c in s["www.example.test:443"]["connections"]] in (["ok", "denied"], ["denied", "ok"])'
}

@test "of eight addresses the one with an old key is found" {
	tls_server 0.0.0.0 -cert leaf.pem -key leaf.key -cert_chain int.pem
	local many=() i
	for i in 2 3 4 5 6 7 8; do
		many+=(--connect-to "www.example.test:443:127.0.0.$i:$PORT")
	done
	run check "${many[@]}" $(at www.example.test:443 old)
	gives 1 '8 addresses' '127.0.0.1: ecdsa: denied'
	[ "$(grep -c denied <<<"$output")" -eq 3 ]
	run check "${many[@]}"
	gives 0 '7 addresses'
}

@test "IPv6, as an entry and behind a name" {
	[ -e /proc/net/if_inet6 ] || skip 'no IPv6 here'
	tls_server '[::1]' -cert leaf.pem -key leaf.key -cert_chain int.pem
	policy "{ name: '::1', port: $PORT, leaf: [$(pin leaf)] }"
	run check --prometheus metrics.prom
	gives 0 "ok         [::1]:$PORT  1 address"
	grep -qxF "pinfast_endpoint_up{host=\"::1\",port=\"$PORT\"} 1" \
	    metrics.prom
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }"
	run check --connect-to "www.example.test:443:[::1]:$PORT" \
	    $(at www.example.test:443 good)
	gives 0 '2 addresses'
}

@test "a hundred certificates, of which two are needed" {
	cp int.pem many.pem
	for _ in $(seq 98); do
		cat root.pem
	done >>many.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain many.pem
	run check --connect-to "::127.0.0.1:$PORT"
	gives 0 'ok         www'
	cat root.pem >>many.pem
	tls_server 127.0.0.1 -cert leaf.pem -key leaf.key -cert_chain many.pem
	run check --connect-to "::127.0.0.1:$PORT"
	gives 3 'undecided  www' 'handshake: '
}

@test "a server that takes one connection at a time hides no key" {
	manner_server one-at-a-time --far "$(cat both)"
	run check --connect-to "www.example.test:443:127.0.0.1:$PORT"
	gives 1 '127.0.0.1: rsa: denied' "$(pin rsa)"
	[[ $output != *'hung up'* ]]
}

@test "an address for a server that is not asked does not read as all well" {
	local why='this --connect-to is for no server that is asked'
	run check $(at :443 good) $(at wwww.example.test:443 old)
	gives 3 "wwww.example.test:443:127.0.0.1:$(cat old): $why" '1 ok'
	run check --quiet $(at :443 good) $(at wwww.example.test:443 old)
	gives 3 "$why"
	# A denial is told as that, and the others connect to nothing.
	run check $(at :443 old) $(at :444 good)
	gives 1 "$why" '1 denied'
	for command in pin init; do
		run pinfast $command --ca-file root.pem $(at :443 good) \
		    $(at :444 old) www.example.test
		gives 2 ":444:127.0.0.1:$(cat old): $why"
		[[ $output != *sha256/* ]]
	done
}

@test "a server that is named and has no entry does not pass for pinned" {
	run check --quiet $(at wwww.example.test:443 good) wwww.example.test
	says 'wwww.example.test:443: no entry of the policy speaks for it'
	run check --quiet $(at www.example.test:443 good) www.example.test
	gives 0
	[ -z "$output" ]
}

@test "a server that is named twice is asked once" {
	run check $(at www.example.test:443 good) www.example.test \
	    WWW.example.test.:443
	gives 0 '1 ok, 0'
	policy "{ name: www.example.test, leaf: [$(pin leaf)], probe: [{}, { port: 443, starttls: smtp }, { host: www.example.test }] }"
	run check $(at www.example.test:443 good)
	gives 0 '1 ok, 0'
}

@test "report mode reports, and the shadow set is told" {
	policy "{ name: www.example.test, mode: report, leaf: [$(pin leaf)], shadow: { leaf: [$(pin next)] } }"
	run check $(at www.example.test:443 old)
	gives 0 'reported   www.example.test:443' 'shadow: pin-matched' \
	    '(report-only)'
	run check $(at www.example.test:443 good)
	gives 0 'ok         www' 'shadow: pin-mismatch'
}

@test "a pin does not rescue what OpenSSL refuses" {
	run pinfast check policy.yaml $(at www.example.test:443 good)
	gives 1 'did not verify' '(unable to get'
	run check --time 2099-01-01 $(at www.example.test:443 good)
	gives 1 '(certificate has expired)'
	policy "{ name: else.example.test, leaf: [$(pin leaf)] }"
	run check $(at else.example.test:443 good)
	gives 1 '(hostname mismatch)'
}

@test "pkix: none, an entry's own anchors, an address" {
	policy "{ name: www.example.test, pkix: none, leaf: [$(pin leaf)] }"
	run pinfast check policy.yaml $(at www.example.test:443 good)
	gives 0 '1 ok'
	policy "{ name: www.example.test, trust: { ca-file: root.pem }, leaf: [$(pin leaf)] }"
	run pinfast check policy.yaml $(at www.example.test:443 good)
	gives 0 '1 ok'
	policy "{ name: 127.0.0.1, port: $(cat good), leaf: [$(pin leaf)] }"
	run check
	gives 0 "ok         127.0.0.1:$(cat good)"
}

@test "a pin of the whole certificate, and backup pins of every kind" {
	policy "{ name: www.example.test, leaf: [$(pinfast pin --plain --cert-hash leaf.pem), $(pinfast pin --plain --cert-hash next.pem)], ca: [$(pin int), $(pin self)], pins: [$(pin root), $(pin rsa)] }"
	run check --json $(at www.example.test:443 good)
	gives 0
	holds 's["www.example.test:443"]["pins"] == 6'
	holds 's["www.example.test:443"]["backup-pins"] == 3'
}

@test "a rejected key" {
	policy "{ name: www.example.test, leaf: [$(pin leaf)], reject: [$(pin int)] }"
	run check $(at www.example.test:443 good)
	gives 1 'a key that the policy rejects'
}

@test "days left of leaf, entry and policy" {
	printf 'pinfast: 1\nissued: 2026-11-01\nvalid-until: 2099-01-01\non-lapse: report\n' >policy.yaml
	printf 'hosts:\n  - { name: www.example.test, leaf: [%s], warn-after: 2020-01-01, expires: 2098-01-01, on-expiry: deny }\n' \
	    "$(pin leaf)" >>policy.yaml
	run check $(at www.example.test:443 good)
	gives 0 ', leaf 19 days' ', entry 2' 'warn-after has passed' \
	    ', policy 2'
	run check --time 2098-02-01 $(at www.example.test:443 good)
	[ "$status" -eq 1 ]
}

@test "--quiet tells pins whose time is over" {
	local entry="name: www.example.test, leaf: [$(pin next)], expires: 2026-01-01"
	policy "{ $entry, on-expiry: unpin }"
	run check --quiet $(at :443 good)
	gives 0 'ok         www.example.test:443' 'entry over'
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }"
	sed -i '1s/$/\nvalid-until: 2026-01-01\non-lapse: report/' policy.yaml
	run check --quiet $(at :443 good)
	gives 0 'policy over'
}

@test "a pinned certificate without its key allows nothing" {
	peer=$(dirname "$PINFAST")/tests/conform/peer
	[ -x "$peer" ] || skip 'no GnuTLS'
	mkdir -p world
	for name in leaf int next; do
		openssl x509 -in $name.pem -outform DER -out world/$name.der
		cp $name.pem world/
		[ $name = int ] || cp $name.key world/$name.key
	done
	for key in leaf next; do
		for tls in 1.2 1.3; do
			# Once for the kind it chooses, once for the other.
			{
				echo "serve tag=a chain=leaf,int key=$key tls=$tls"
				sleep 4
			} | "$peer" world >"peer.$key.$tls" 2>&1 3>&- &
			for _ in $(seq 100); do
				PORT=$(grep -oE "[0-9]{4,5}" "peer.$key.$tls" |
				    head -n 1) && [ -n "$PORT" ] && break
				sleep 0.05
			done
			run check --json --connect-to "::127.0.0.1:$PORT"
			[[ $output == *"\"key\":\"ecdsa\""* ]]
			if [ $key = leaf ]; then
				[[ $output == *'"decision":"allow"'* ]]
			else
				gives 3 '"failed-at":"handshake"'
				[[ $output != *'"decision"'* ]]
			fi
		done
	done
}

# ------------------------------------------------------- which are asked

@test "every entry that names a server, the others are counted" {
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: below.test, subdomains: any, apex: false, leaf: [$(pin leaf)] }" \
	    "{ name: more.test, subdomains: one, apex: false, leaf: [$(pin leaf)], probe: [{ host: www.more.test, port: 444 }] }"
	run check --json --timeout 1 $(at :443 good) $(at :444 dead)
	gives 3
	holds 'sorted(s) == ["www.example.test:443", "www.more.test:444"]'
	holds 's["www.more.test:444"]["entry"] == "more.test"'
	holds 'v["not-checked"] == 1 and v["ok"] == 1 and v["undecided"] == 1'
	# A store does not hold probes.
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast check policy.store --json --ca-file root.pem \
	    $(at :443 good)
	gives 0
	holds 'sorted(s) == ["www.example.test:443"] and v["not-checked"] == 2'
	run pinfast check policy.store --ca-file root.pem $(at :443 good)
	gives 0 '2 entries not checked (a store holds no `probe`'
}

@test "an entry whose probes lead past it does not pass for checked" {
	local why='entry www.example.test: not checked: its `probe` leads to no host and port that it speaks for'
	# Another name, another port, and another entry's port.
	for entries in \
	    "{ name: www.example.test, leaf: [$(pin next)], probe: [{ host: mail.example.test }] }" \
	    "{ name: www.example.test, port: 8443, leaf: [$(pin next)], probe: [{ port: 443 }] }" \
	    "{ name: www.example.test, port: 8443, leaf: [$(pin next)], probe: [{ port: 443 }] }
  - { name: www.example.test, leaf: [$(pin leaf)] }"; do
		policy "$entries"
		run check $(at :443 good)
		gives 0 "$why" '; 1 entry not checked'
	done
	# Lists that are joined for another port are the other entry's.
	policy "{ name: www.example.test, port: 8443, leaf: [$(pin next)], probe: [{ port: 443 }] }" \
	    "{ name: www.example.test, inherit: union, leaf: [$(pin next)] }" \
	    "{ name: example.test, port: 443, subdomains: any, apex: false, leaf: [$(pin leaf)] }"
	run check $(at :443 good)
	gives 0 "$why" '; 3 entries not checked'
	# One that leads to it is enough, also below it or by another's lists.
	policy "{ name: example.test, subdomains: any, leaf: [$(pin leaf)], probe: [{ host: else.test }, { host: www.example.test }] }" \
	    "{ name: test, port: 443, subdomains: any, apex: false, inherit: union, leaf: [$(pin next)], probe: [{ host: www.else.test }] }"
	run check $(at :443 good)
	says '; 0 entries not checked'
	[[ $output != *'its `probe`'* ]]
}

@test "text and store name the same servers" {
	policy "{ name: www.example.test, subdomains: any, leaf: [$(pin leaf)] }" \
	    "{ name: www.example.test, port: 444, leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, port: 443, leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: two.test, port: 444, subdomains: one, leaf: [$(pin leaf)] }"
	pinfast compile --quiet policy.yaml -o policy.store
	for p in policy.yaml policy.store; do
		run pinfast check $p --json --timeout 1 $(at : dead)
		holds 'sorted(s) == ["mail.example.test:443", "two.test:444", "www.example.test:443", "www.example.test:444"]'
		holds 'v["not-checked"] == 1'
	done
}

@test "servers that are named, with the port of their entry" {
	policy "{ name: www.example.test, port: $(cat good), leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }"
	run check --connect-to ::127.0.0.1: www.example.test
	gives 0 "ok         www.example.test:$(cat good)" '0 entries not'
	run check --connect-to ::127.0.0.1: "mail.example.test:$(cat good)"
	gives 0 "ok         mail.example.test:$(cat good)"
	[[ $output != *www.example.test* ]]
	run check --connect-to ::127.0.0.1: "127.0.0.1:$(cat good)"
	gives 0 'no entry'
}

@test "a policy that names no server at all" {
	policy "{ name: below.test, subdomains: any, apex: false, leaf: [$(pin leaf)] }"
	run check
	gives 3 'no entry of the policy names a server'
	pinfast compile --quiet policy.yaml -o policy.store
	run pinfast check policy.store
	gives 3 'no entry of the store names a server' 'holds no `probe`'
	# What the last check said of servers is over.
	echo pinfast_endpoint_up >out.prom
	check --json --junit out.xml --prometheus out.prom >out.json || :
	python3 -c '
import json, xml.etree.ElementTree as x
v = json.load(open("out.json"))
assert v["servers"] == [] and v["not-checked"] == 1, v
assert x.parse("out.xml").getroot().get("tests") == "0"'
	grep -x 'pinfast_policy_entries_not_checked 1' out.prom
}

# ----------------------------------------------------- STARTTLS and proxies

@test "STARTTLS, as it is said, by the probe, and by the port" {
	manner_server smtp --cert leaf-chain.pem --key leaf.key
	policy "{ name: mail.example.test, port: 25, leaf: [$(pin leaf)] }"
	run check --json --connect-to "mail.example.test:25:127.0.0.1:$PORT"
	gives 0
	holds 's["mail.example.test:25"]["starttls"] == "smtp"'
	policy "{ name: mail.example.test, leaf: [$(pin leaf)], probe: [{ port: 2525, starttls: smtp }] }"
	run check --connect-to "mail.example.test:2525:127.0.0.1:$PORT"
	gives 0 'ok         mail.example.test:2525'
	run check --connect-to "mail.example.test::127.0.0.1:$PORT" \
	    --starttls smtp mail.example.test
	gives 0 'ok         mail.example.test:25'
	policy "{ name: mail.example.test, leaf: [$(pin next)] }"
	run check --connect-to "mail.example.test::127.0.0.1:$PORT" \
	    --starttls=smtp
	gives 1 'denied     mail.example.test:25'
}

@test "a server that refuses STARTTLS, or text in front of the handshake" {
	policy "{ name: mail.example.test, port: 25, leaf: [$(pin leaf)] }"
	manner_server smtp-refusing
	run check --connect-to "::127.0.0.1:$PORT"
	gives 3 'undecided  mail.example.test:25' 'starttls: '
	manner_server smtp-injecting --cert leaf-chain.pem --key leaf.key
	run check --connect-to "::127.0.0.1:$PORT"
	gives 0 'ok         mail' 'in front of the handshake were dropped'
	manner_server smtp-injecting --cert leaf-chain.pem --key leaf.key
	run check --quiet --connect-to "::127.0.0.1:$PORT"
	gives 0 'in front of the handshake were dropped'
}

@test "through proxies" {
	policy "{ name: 127.0.0.1, port: $(cat good), leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: $(cat old), leaf: [$(pin leaf)] }"
	for proxy in http:connect socks5:socks5; do
		manner_server "${proxy#*:}"
		run check --proxy "${proxy%:*}://127.0.0.1:$PORT"
		gives 1 "ok         127.0.0.1:$(cat good)" \
		    "denied     127.0.0.1:$(cat old)"
	done
	run check --proxy "http://127.0.0.1:$(cat dead)"
	gives 3 '2 undecided'
	# It is the proxy that knows the addresses of a name.
	manner_server connect
	run check --proxy "http://127.0.0.1:$PORT" "localhost:$(cat good)"
	gives 1 "denied     localhost:$(cat good)  by proxy, ecdsa, leaf "
}

# ------------------------------------------------------------------ outputs

world_of_four() {
	policy "{ name: www.example.test, leaf: [$(pin leaf), $(pin rsa)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: 127.0.0.1, port: 444, mode: report, leaf: [$(pin leaf)], probe: [{ port: 444 }, { host: 127.0.0.1 }] }" \
	    "{ name: dead.example.test, leaf: [$(pin leaf)] }"
	set -- $(at www.example.test:443 good) $(at mail.example.test:443 old) \
	    $(at 127.0.0.1:444 old) $(at dead.example.test:443 dead) "$@"
	run check "$@"
}

@test "JSON says everything" {
	world_of_four --json
	gives 1
	holds 'v["ok"] == 1 and v["denied"] == 1 and v["undecided"] == 1 and v["reported"] == 1'
	holds 's["www.example.test:443"]["pins"] == 2 and s["www.example.test:443"]["backup-pins"] == 1'
	holds 's["www.example.test:443"]["connections"][0]["decision"] == "allow"'
	holds 's["www.example.test:443"]["connections"][0]["pkix"] == {"ok": True}'
	holds 's["mail.example.test:443"]["connections"][0]["reason"] == "pin-mismatch"'
	holds 's["mail.example.test:443"]["connections"][0]["decision"] == "deny"'
	holds '"decision" not in s["dead.example.test:443"]["connections"][0]'
	holds 's["dead.example.test:443"]["connections"][0]["failed-at"] == "connect"'
	holds 's["dead.example.test:443"]["entry"] == "dead.example.test"'
	holds '"backup-pins" not in s["dead.example.test:443"]'
}

@test "JUnit: denied is a failure, undecided an error" {
	world_of_four --junit junit.xml
	gives 1 '1 denied'
	python3 -c '
import xml.etree.ElementTree as E
t = E.parse("junit.xml").getroot()
assert t.tag == "testsuite" and t.get("tests") == "4", t.attrib
assert t.get("failures") == "1" and t.get("errors") == "1"
c = {x.get("name"): x for x in t}
assert len(c["www.example.test:443"]) == 0
assert "none of the pinned keys" in c["mail.example.test:443"].find("failure").text
assert "nothing listens" in c["dead.example.test:443"].find("error").text
assert "report-only" in c["127.0.0.1:444"].find("system-out").text
float(c["www.example.test:443"].get("time"))'
}

@test "metrics for Prometheus" {
	world_of_four --prometheus metrics.prom
	gives 1
	if command -v promtool; then
		promtool check metrics <metrics.prom
	fi
	grep -qxF 'pinfast_endpoint_up{host="www.example.test",port="443"} 1' metrics.prom
	grep -qxF 'pinfast_endpoint_up{host="dead.example.test",port="443"} 0' metrics.prom
	grep -qxF 'pinfast_endpoint_pin_match{host="www.example.test",port="443"} 1' metrics.prom
	grep -qxF 'pinfast_endpoint_pin_match{host="mail.example.test",port="443"} 0' metrics.prom
	grep -qxF 'pinfast_endpoint_backup_pins{host="www.example.test",port="443"} 1' metrics.prom
	end=$(date -d "$(openssl x509 -in leaf.pem -noout -enddate |
	    cut -d= -f2)" +%s)
	grep -qxF "pinfast_endpoint_cert_not_after_timestamp_seconds{host=\"www.example.test\",port=\"443\"} $end" metrics.prom
	# Each sample once: the same server was asked for two entries.
	[ -z "$(grep -v '^#' metrics.prom | cut -d' ' -f1 | sort | uniq -d)" ]
}

@test "files that cannot be written are told, and nothing is left" {
	mkdir -p folder
	run check --junit folder $(at www.example.test:443 good)
	gives 3 'folder: is a directory'
	run check --prometheus none/m.prom $(at www.example.test:443 good)
	gives 3 'none/m.prom: cannot be written'
	# One file by two names, also where it is not there yet.
	run check --junit x --prometheus x
	gives 2 'two outputs cannot share'
	run check --junit ./x --prometheus x
	gives 2 'two outputs cannot share'
	run check --junit folder/../x --prometheus "$PWD/x"
	gives 2 'two outputs cannot share'
	for option in --junit --prometheus; do
		run check $option -
		gives 2 'take the name of a file, not `-`'
	done
	[ ! -e ./- ] && [ ! -e x ]
}

@test "--quiet says nothing when all is well" {
	run check --quiet $(at www.example.test:443 good)
	[ "$status" -eq 0 ] && [ -z "$output" ]
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }" \
	    "{ name: mail.example.test, leaf: [$(pin leaf)] }"
	run check --quiet $(at www.example.test:443 good) \
	    $(at mail.example.test:443 old)
	gives 1 'denied     mail' '1 ok, 0 reported'
	[[ $output != *www.example.test* ]]
}

# The next file or server that is opened gets the number of a closed stream.
@test "without standard streams no server gets what is printed" {
	manner_server sink
	for command in pin init; do
		status=0
		pinfast $command --timeout 2 --connect-to ::127.0.0.1: \
		    a.test:"$PORT" b.test:"$PORT" c.test:"$PORT" \
		    d.test:"$(cat dead)" <&- >&- 2>&- 3>&- || status=$?
		[ $status -eq 3 ]
	done
	# Its threads say at their leisure what they got.
	for _ in $(seq 200); do
		[ "$(grep -o 'x16.x03.x01' "$LOG" | wc -l)" -lt 6 ] || break
		sleep 0.05
	done
	[ "$(grep -o 'x16.x03.x01' "$LOG" | wc -l)" -eq 6 ]
	! grep pinfast "$LOG"
}

@test "a terminal gets a line of progress, a file does not" {
	command -v script || skip 'no script'
	run script -qec "$PINFAST check policy.yaml --ca-file root.pem $(
	    at www.example.test:443 good | tr '\n' ' ') >/dev/null" /dev/null
	gives 0 'of 1 servers, 0 denied'
	run check $(at www.example.test:443 good)
	[[ $output != *'of 1 servers'* ]]
}

# ------------------------------------------------------------------ wrong usage

@test "a command line that is not one" {
	run check a..b
	gives 2 'a..b: '
	run check www.example.test:0
	gives 2 'a port is 1 to 65535'
	run check --starttls gopher
	gives 2 '--starttls takes'
	run check --timeout 0
	gives 2 '--timeout takes'
	run check --proxy ftp://x
	gives 2 '--proxy takes'
	run check --junit
	gives 2 'a value is missing behind `--junit`'
	run check --csr x.csr --junit y
	gives 2 'connect to nothing'
}

@test "behind -- there are no more options" {
	cp policy.yaml ./--json
	run pinfast check --ca-file root.pem $(at :443 good) -- --json
	gives 0 '1 ok, 0'
	run pinfast check --ca-file root.pem -- --json http://me:s3cret@x
	gives 2 'is a URL'
	run pinfast verify --chain leaf-chain.pem --ca-file root.pem -- \
	    --json www.example.test
	gives 0 allowed
	run pinfast init --ca-file root.pem $(at :443 good) -- www.example.test
	gives 1 'name: "www.example.test"'
	rm ./--json
}
