#!/usr/bin/env bats
# `pinfast pin`, as a person runs it.

load helper

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	openssl genrsa -out rsa.key 2048 2>/dev/null
	openssl rsa -in rsa.key -traditional -out rsa-1.key 2>/dev/null
	openssl rsa -in rsa.key -RSAPublicKey_out -out rsa-1.pub 2>/dev/null
	openssl ecparam -name prime256v1 -genkey -out ec-1.key
	openssl pkcs8 -topk8 -nocrypt -in ec-1.key -out ec.key
	openssl ecparam -name secp384r1 -genkey -noout -out p384.key
	openssl genpkey -algorithm ed25519 -out ed.key
	openssl pkcs8 -topk8 -in rsa.key -passout pass:x -out encrypted.key
	openssl rsa -in rsa.key -traditional -aes128 -passout pass:x \
	    -out encrypted-1.key 2>/dev/null
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	keys=$BATS_FILE_TMPDIR
}

# ------------------------------------------------------------ what it prints

@test "every committed certificate, request and key has openssl's pin" {
	count=0
	while read -r file pin; do
		[ "$(pinfast pin --plain "$CERTS/$file")" = "$pin" ]
		count=$((count + 1))
	done <"$CERTS/pins.tsv"
	[ "$count" -eq 10 ]
}

@test "a line holds pin, role and subject" {
	run pinfast pin "$CERTS/leaf.der"
	[ "$status" -eq 0 ]
	[ "$output" = "$(expected leaf.der)  leaf  CN=www.example.test" ]
	run pinfast pin "$CERTS/intermediate.der"
	says '  intermediate  O=Example, CN=Example Intermediate'
	run pinfast pin "$CERTS/root.der"
	says '  root  O=Example, CN=Example Root'
	run pinfast pin "$CERTS/leaf-request.der"
	says '  csr  CN=www.example.test'
	run pinfast pin "$CERTS/leaf-key.der"
	says '  public-key  -'
}

@test "PEM and DER give the same pin, also from standard input" {
	pem CERTIFICATE "$CERTS/leaf.der" >leaf.pem
	pem 'CERTIFICATE REQUEST' "$CERTS/leaf-request.der" >csr.pem
	pem 'NEW CERTIFICATE REQUEST' "$CERTS/leaf-request.der" >new.pem
	pem 'PUBLIC KEY' "$CERTS/leaf-key.der" >key.pem
	for f in leaf.pem csr.pem new.pem key.pem; do
		[ "$(pinfast pin --plain $f)" = "$(expected leaf.der)" ]
		[ "$(pinfast pin --plain - <$f)" = "$(expected leaf.der)" ]
	done
	[ "$(pinfast pin --plain - <"$CERTS/leaf.der")" = \
	    "$(expected leaf.der)" ]
}

@test "text around PEM blocks and CRLF line ends do not matter" {
	{
		echo 'subject=CN = www.example.test'
		pem CERTIFICATE "$CERTS/leaf.der" | sed 's/$/\r/'
		echo 'the end'
	} >leaf.pem
	[ "$(pinfast pin --plain leaf.pem)" = "$(expected leaf.der)" ]
}

@test "a chain prints its first certificate and says that there are more" {
	for c in leaf intermediate root; do
		pem CERTIFICATE "$CERTS/$c.der"
	done >chain.pem
	run pinfast pin chain.pem
	gives 0 "$(expected leaf.der)" '2 more in the file; --chain all'
	[ "$(pinfast pin --plain chain.pem)" = "$(expected leaf.der)" ]
}

@test "--chain all prints every certificate, leaf first" {
	for c in leaf intermediate root; do
		pem CERTIFICATE "$CERTS/$c.der"
	done >chain.pem
	run pinfast pin --chain all --plain chain.pem
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(expected leaf.der)" ]
	[ "${lines[1]}" = "$(expected intermediate.der)" ]
	[ "${lines[2]}" = "$(expected root.der)" ]
	[ "${#lines[@]}" -eq 3 ]
}

@test "--cert-hash is the whole certificate's fingerprint" {
	want=cert-sha256/$(openssl dgst -sha256 -binary "$CERTS/leaf.der" |
	    openssl base64)
	[ "$(pinfast pin --cert-hash --plain "$CERTS/leaf.der")" = "$want" ]
}

@test "--tlsa is the record's data, with the selector of what is hashed" {
	key=$(openssl dgst -sha256 -r "$CERTS/leaf-key.der" | cut -c1-64)
	whole=$(openssl dgst -sha256 -r "$CERTS/leaf.der" | cut -c1-64)
	[ "$(pinfast pin --tlsa "$CERTS/leaf.der")" = "3 1 1 $key" ]
	[ "$(pinfast pin --tlsa --cert-hash "$CERTS/leaf.der")" = \
	    "3 0 1 $whole" ]
	run pinfast pin --tlsa "$CERTS/root.der"
	gives 0 '2 1 1 '
}

@test "--json is JSON" {
	run pinfast pin --json "$CERTS/leaf.der" "$CERTS/root.der"
	[ "$status" -eq 0 ]
	[ "$(printf %s "$output" | python3 -c '
import json, sys
for o in json.load(sys.stdin):
    print(o["pin"], o["role"], o["subject"])')" = \
	    "$(expected leaf.der) leaf CN=www.example.test
$(expected root.der) root O=Example, CN=Example Root" ]
}

@test "--json stays JSON when a file cannot be read" {
	json=$(pinfast pin --json nothing "$CERTS/leaf.der" 2>/dev/null) || :
	[ "$(printf %s "$json" | python3 -c '
import json, sys
print(len(json.load(sys.stdin)))')" = 1 ]
}

# ------------------------------------------------------------- private keys

@test "a private key that holds its public half gives openssl's pin" {
	for k in rsa.key rsa-1.key ec.key ec-1.key p384.key; do
		want=$(openssl pkey -in "$keys/$k" -pubout | pin_by_openssl)
		run pinfast pin "$keys/$k"
		[ "$output" = "$want  private-key  -" ]
		openssl pkey -in "$keys/$k" -outform DER -out key.der
		[ "$(pinfast pin --plain key.der)" = "$want" ]
	done
}

@test "an RSA public key in its old form gives the same pin" {
	want=$(openssl pkey -in "$keys/rsa.key" -pubout | pin_by_openssl)
	[ "$(pinfast pin --plain "$keys/rsa-1.pub")" = "$want" ]
}

@test "version 2 of an Ed25519 key gives openssl's pin" {
	# RFC 8410 section 10.3: version 1, and the public half behind.
	want=$(openssl pkey -in "$keys/ed.key" -pubout | pin_by_openssl)
	{
		printf '\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70'
		openssl pkey -in "$keys/ed.key" -outform DER | tail -c 36
		printf '\x81\x21\x00'
		openssl pkey -in "$keys/ed.key" -pubout -outform DER |
		    tail -c 32
	} >body
	[ "$(stat -c %s body)" -eq 83 ]
	[ "$(pinfast pin --plain body)" = "$want" ]
}

@test "an Ed25519 key without its public half names the remedy" {
	run pinfast pin "$keys/ed.key"
	gives 3 'openssl pkey -in KEY -pubout | pinfast pin -'
	want=$(openssl pkey -in "$keys/ed.key" -pubout | pin_by_openssl)
	[ "$(openssl pkey -in "$keys/ed.key" -pubout |
	    pinfast pin --plain -)" = "$want" ]
}

@test "encrypted keys name the remedy" {
	run pinfast pin "$keys/encrypted.key"
	gives 3 'openssl pkey -in KEY -pubout'
	run pinfast pin "$keys/encrypted-1.key"
	gives 3 'openssl pkey -in KEY -pubout'
}

@test "an EC key without its public half is not guessed" {
	openssl ec -in "$keys/ec-1.key" -no_public -out bare.key 2>/dev/null
	run pinfast pin bare.key
	gives 3 'the public one must be computed'
}

@test "an RSA key with one byte behind it is no key" {
	openssl pkey -in "$keys/rsa.key" -outform DER >key.der
	printf x >>key.der
	run pinfast pin key.der
	gives 3 'in exact DER'
}

@test "every truncation of a private key is refused" {
	openssl pkey -in "$keys/ec.key" -outform DER >key.der
	for n in $(seq 1 $(($(stat -c %s key.der) - 1))); do
		head -c "$n" key.der >cut.der
		run pinfast pin cut.der
		[ "$status" -eq 3 ]
	done
}

# ------------------------------------------------------------ what it refuses

@test "bytes behind a certificate are refused with their offset" {
	cp "$CERTS/leaf.der" longer.der
	printf '\0' >>longer.der
	size=$(stat -c %s "$CERTS/leaf.der")
	run pinfast pin longer.der
	gives 3 "longer.der: " "byte $size is wrong"
}

@test "two certificates in one DER file are refused" {
	cat "$CERTS/leaf.der" "$CERTS/root.der" >two.der
	run pinfast pin --plain two.der
	gives 3 "byte $(stat -c %s "$CERTS/leaf.der") is wrong"
}

@test "a truncated certificate is refused" {
	head -c 200 "$CERTS/leaf.der" >cut.der
	run pinfast pin cut.der
	gives 3 'in exact DER' 'is wrong'
}

@test "an indefinite length is refused at its byte" {
	{
		printf '\x30\x80'
		tail -c +5 "$CERTS/leaf.der"
	} >ber.der
	run pinfast pin ber.der
	gives 3 'byte 1 is wrong'
}

@test "junk is refused" {
	echo 'this is no certificate' >junk
	run pinfast pin junk
	gives 3 'junk: neither a PEM block nor DER (byte 0 is wrong)'
}

@test "a damaged PEM block is named with its line" {
	{
		echo 'a line in front'
		pem CERTIFICATE "$CERTS/leaf.der" | sed '3s/./*/5'
	} >bad.pem
	run pinfast pin bad.pem
	gives 3 'line 2: `CERTIFICATE` is a damaged PEM block'
}

@test "a PEM block without an end is damaged" {
	pem CERTIFICATE "$CERTS/leaf.der" | sed '$d' >bad.pem
	run pinfast pin bad.pem
	gives 3 'damaged PEM block'
}

@test "a PEM block without content holds no certificate" {
	printf -- '-----BEGIN %s-----\n-----END %s-----\n' \
	    CERTIFICATE CERTIFICATE >empty.pem
	run pinfast pin empty.pem
	gives 3 'not a certificate, request or key in exact DER (byte 0'
}

@test "a PEM block of another kind is named" {
	pem 'X509 CRL' "$CERTS/leaf.der" >crl.pem
	run pinfast pin crl.pem
	gives 3 '`X509 CRL` is nothing that has a pin'
}

@test "an empty file is refused" {
	: >empty
	run pinfast pin empty
	gives 3 'empty: is empty'
	run pinfast pin - </dev/null
	gives 3 'is empty'
}

@test "a directory is refused" {
	run pinfast pin .
	gives 3 'is a directory, not a file'
}

@test "a device is refused" {
	run pinfast pin /dev/zero
	gives 3 'is a device, not a file'
}

@test "a pipe is refused, and not waited for" {
	mkfifo fifo
	run timeout 5 "$PINFAST" pin fifo
	gives 3 'is a pipe, not a file'
}

@test "a missing file is named" {
	run pinfast pin nothing
	gives 3 'nothing: No such file'
}

@test "an unreadable file is named" {
	not_root
	cp "$CERTS/leaf.der" locked.der
	chmod 644 locked.der
	pinfast pin locked.der
	chmod 0 locked.der
	run pinfast pin locked.der
	gives 3 'locked.der: Permission denied'
}

@test "a file that is too large is refused with the limit" {
	truncate -s 4194305 large
	run pinfast pin large
	gives 3 'is larger than the limit of 4194304 bytes'
	run pinfast pin - <large
	gives 3 'is larger than the limit of 4194304 bytes'
}

@test "16 certificates are a chain, 17 are not" {
	for _ in $(seq 16); do
		pem CERTIFICATE "$CERTS/leaf.der"
	done >chain.pem
	run pinfast pin --chain all --plain chain.pem
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 16 ]
	pem CERTIFICATE "$CERTS/leaf.der" >>chain.pem
	run pinfast pin --chain all --plain chain.pem
	gives 3 'more than 16 certificates: that is no chain'
}

@test "one bad file among good ones: the good ones are printed, exit 3" {
	run pinfast pin --plain "$CERTS/leaf.der" nothing "$CERTS/root.der"
	gives 3 "$(expected leaf.der)" "$(expected root.der)" 'nothing: '
}

@test "--cert-hash of a request is refused" {
	run pinfast pin --cert-hash "$CERTS/leaf-request.der"
	gives 3 '--cert-hash is for certificates'
}

@test "a mistyped path is not taken for a host name" {
	run pinfast pin ./leaf.pem
	gives 3 './leaf.pem: No such file'
	[[ $output != *live* ]]
	run pinfast pin ''
	gives 3 '``: No such file'
}

# ------------------------------------------------- other stacks, and terminals

@test "a key that other stacks would hash differently is told" {
	# A 2048-bit RSA key without the NULL parameters.
	openssl pkey -in "$keys/rsa.key" -pubout -outform DER >key.der
	{
		printf '\x30\x82\x01\x20\x30\x0b'
		tail -c +7 key.der | head -c 11
		tail -c +20 key.der
	} >other.der
	run complaint "$PINFAST" pin other.der
	gives 0 'lacks the NULL parameters' 'compute another pin'
	openssl ec -in "$keys/ec.key" -pubout -conv_form compressed \
	    -outform DER -out compressed.der 2>/dev/null
	run complaint "$PINFAST" pin compressed.der
	gives 0 'point is compressed'
	openssl ec -in "$keys/ec.key" -pubout -param_enc explicit \
	    -outform DER -out explicit.der 2>/dev/null
	run complaint "$PINFAST" pin explicit.der
	gives 0 'spells its curve out'
}

# A public key of this algorithm identifier, with these key bits, in hex.
key_of() {
	python3 - "$@" <<'END'
import sys
def tlv(tag, body):
    assert len(body) < 128
    return bytes([tag, len(body)]) + body
oid, bits = map(bytes.fromhex, sys.argv[1:])
open("made.der", "wb").write(tlv(0x30, tlv(0x30, tlv(6, oid) +
    b"\5\0" * (oid[:3] == b"\x2a\x86\x48")) + tlv(3, b"\0" + bits)))
END
}

@test "a modulus below zero, GOST and ML-DSA are told" {
	key_of 2a864886f70d010101 30080202ff0102030100
	run complaint "$PINFAST" pin made.der
	gives 0 'written as a negative number: GnuTLS'
	key_of 2a864886f70d010101 3009020300ff010202010f
	run complaint "$PINFAST" pin made.der
	[ -z "$output" ]
	key_of 2a85030701010101 04020102
	run complaint "$PINFAST" pin made.der
	gives 0 'GOST key: GnuTLS'
	key_of 608648016503040312 0102
	run complaint "$PINFAST" pin made.der
	gives 0 'ML-DSA key: Java 17'
	key_of 608648016503040310 0102
	run complaint "$PINFAST" pin made.der
	[ -z "$output" ]
}

@test "an ordinary key is not warned about" {
	for f in rsa p256 p384 ed25519 leaf; do
		run complaint "$PINFAST" pin "$CERTS/$f.der"
		[ -z "$output" ]
	done
}

self_signed() { # the subject's bytes, put in place of 12 letters
	openssl req -new -x509 -key "$keys/ec.key" -subj /CN=xxxxxxxxxxxx \
	    -days 9 -outform DER -out plain.der
	python3 - "$1" <<'END'
import sys
new = sys.argv[1].encode().decode("unicode_escape").encode("latin-1")
assert len(new) == 12
data = open("plain.der", "rb").read()
assert data.count(b"x" * 12) == 2
open("odd.der", "wb").write(data.replace(b"x" * 12, new))
END
}

@test "a subject cannot steer the terminal" {
	self_signed '\x1b[2Jgone\x07\r\n\t'
	run pinfast pin odd.der
	[ "$status" -eq 0 ]
	says 'CN=\x1b[2Jgone\x07\x0d\x0a\x09'
	[ "${#lines[@]}" -eq 1 ]
}

@test "a subject cannot use 8-bit controls or turn the writing" {
	self_signed '\xc2\x9b31mA\xe2\x80\xaeBC!'
	run pinfast pin odd.der
	gives 0 'CN=\xc2\x9b31mA\xe2\x80\xaeBC!'
}

@test "a subject in UTF-8 is shown as it is" {
	self_signed 'M\xc3\xbcller GmbH'
	run pinfast pin odd.der
	gives 0 'CN=Müller GmbH'
}

@test "characters beyond 16 bits are two escapes when they are unseen" {
	self_signed 'A\xf3\xa0\x81\x81B\xf0\x9f\x94\x91CD'
	run pinfast pin odd.der
	gives 0 'CN=A\xf3\xa0\x81\x81B🔑CD'
	run pinfast pin --json odd.der
	gives 0 'CN=A\udb40\udc41B🔑CD'
}

@test "a subject that is not UTF-8 stays JSON" {
	self_signed '\xff\xc3"\\\x1b\xed\xa0\x80\x00abc'
	pinfast pin --json odd.der | python3 -c '
import json, sys
text = json.load(sys.stdin.buffer)[0]["subject"]
assert text == "CN=\ufffd\ufffd\\\"\\\\\x1b\ufffd\ufffd\ufffd\\00abc", \
    ascii(text)'
}

@test "an attribute without a short name is its OID and its bytes" {
	openssl req -new -x509 -key "$keys/ec.key" -days 9 -outform DER \
	    -subj '/jurisdictionC=US/UID=me/CN=a' -out odd.der
	run pinfast pin odd.der
	gives 0 '1.3.6.1.4.1.311.60.2.1.3=#13025553, ' \
	    '0.9.2342.19200300.100.1.1=#0c026d65, CN=a'
}

@test "an OID with a number that no machine holds is told as such" {
	openssl req -new -x509 -key "$keys/ec.key" -days 9 -outform DER \
	    -subj '/UID=me' -out plain.der
	python3 - <<'END'
data = open("plain.der", "rb").read()
uid = bytes.fromhex("0992268993f22c640101")
assert data.count(uid) == 2
open("odd.der", "wb").write(data.replace(uid, b"\x09" + b"\xff" * 8 + b"\x7f"))
open("two.der", "wb").write(data.replace(uid, b"\x88\x37" + uid[2:]))
END
	run pinfast pin odd.der
	gives 0 '  0.9.?=#0c026d65'
	run pinfast pin two.der
	gives 0 '  2.999.'
}

@test "a subject does not end at a NUL" {
	self_signed 'bank.com\x00.xy'
	run pinfast pin odd.der
	gives 0 'CN=bank.com\00.xy'
	pinfast pin --json odd.der | python3 -c '
import json, sys
assert json.load(sys.stdin)[0]["subject"] == "CN=bank.com\\00.xy"'
}

@test "a value cannot pass for another attribute" {
	self_signed 'x, CN=bank.z'
	run pinfast pin odd.der
	gives 0 'CN=x\, CN=bank.z'
	self_signed ' a+b\\;<>\x22#c '
	run pinfast pin odd.der
	gives 0 'CN=\ a\+b\\\;\<\>\"#c\ '
	openssl req -new -x509 -key "$keys/ec.key" -multivalue-rdn \
	    -subj '/O=One+OU=Two/CN=Three' -days 9 -outform DER -out multi.der
	run pinfast pin multi.der
	gives 0 'O=One+OU=Two, CN=Three'
}

@test "a subject that is too long says so" {
	long=$(printf 'x%.0s' {1..60})
	openssl req -new -x509 -key "$keys/ec.key" -days 9 -outform DER \
	    -subj "$(printf "/OU=$long%.0s" {1..10})" -out long.der
	run pinfast pin long.der
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == *x... ]]
}

# --------------------------------------------------------- the command line

@test "no file is wrong usage" {
	run pinfast pin
	gives 2 'name at least one file' 'pinfast pin --help'
}

@test "an unknown option is wrong usage" {
	run pinfast pin --nonsense x
	gives 2 'no such option `--nonsense`'
}

@test "--chain takes only all" {
	run pinfast pin --chain some "$CERTS/leaf.der"
	gives 2 '--chain takes all'
	run pinfast pin --chain=all --plain "$CERTS/leaf.der"
	[ "$status" -eq 0 ]
}

@test "two output formats are wrong usage" {
	run pinfast pin --json --plain "$CERTS/leaf.der"
	gives 2 'choose one of --plain, --tlsa and --json'
}

@test "-- ends the options" {
	cp "$CERTS/leaf.der" ./--odd
	[ "$(pinfast pin --plain -- --odd)" = "$(expected leaf.der)" ]
}

@test "a full disk is told" {
	[ -c /dev/full ] || skip 'no /dev/full'
	run complaint sh -c "'$PINFAST' pin '$CERTS/leaf.der' >/dev/full"
	says 'could not be written'
	run sh -c "'$PINFAST' pin '$CERTS/leaf.der' >/dev/full"
	[ "$status" -eq 3 ]
}

@test "an interrupt gives 130" {
	mkfifo never
	sleep 20 >never &
	sleeper=$!
	run timeout --signal=INT --preserve-status 1 \
	    "$PINFAST" pin --plain "$CERTS/leaf.der" - <never
	kill "$sleeper"
	[ "$status" -eq 130 ]
	[ "$output" = "$(expected leaf.der)" ]
}
