#!/bin/sh
# Makes the certificates of this folder anew.  Needs the openssl program.
# They are committed, because tests want the same bytes everywhere; keys are
# thrown away, nothing here can sign anything more.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { # name, arguments of genpkey
	name=$1
	shift
	openssl genpkey "$@" -out "$work/$name.key" 2>/dev/null
}

self() { # name, subject
	openssl req -new -x509 -key "$work/$1.key" -subj "$2" -days 36500 \
		-outform DER -out "$1.der"
}

# name, subject, issuer, extension lines
issue() {
	openssl req -new -key "$work/$1.key" -subj "$2" -out "$work/$1.csr"
	printf '%b' "$4" >"$work/$1.ext"
	openssl x509 -req -in "$work/$1.csr" -CA "$3.der" -CAkey "$work/$3.key" \
		-set_serial "0x$(openssl rand -hex 15)" -days 36500 -outform DER \
		-extfile "$work/$1.ext" -out "$1.der" 2>/dev/null
}

key rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key ed25519 -algorithm ED25519
self rsa "/O=Example/CN=rsa.example.test"
self p256 "/CN=p256.example.test"
self p384 "/CN=p384.example.test"
self ed25519 "/CN=ed25519.example.test"

# A chain of three: root, intermediate, leaf.
for n in root intermediate leaf; do
	key $n -algorithm EC -pkeyopt ec_paramgen_curve:P-256
done
self root "/O=Example/CN=Example Root"
issue intermediate "/O=Example/CN=Example Intermediate" root \
	"basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign\n"
issue leaf "/CN=www.example.test" intermediate \
	"basicConstraints=critical,CA:false\nsubjectAltName=DNS:www.example.test\nextendedKeyUsage=serverAuth\n"

# A request and the bare key of the leaf; a request with an attribute.
openssl req -new -key "$work/leaf.key" -subj "/CN=www.example.test" \
	-outform DER -out leaf-request.der
openssl req -new -key "$work/leaf.key" -subj "/CN=www.example.test" \
	-addext "subjectAltName=DNS:www.example.test" \
	-outform DER -out leaf-request-san.der
openssl pkey -in "$work/leaf.key" -pubout -outform DER -out leaf-key.der

# What each pin must be, by another program than ours.
: >pins.tsv
for f in *.der; do
	case $f in
	*-key.der) cat "$f" ;;
	*-request*.der)
		openssl req -inform DER -in "$f" -noout -pubkey |
			openssl pkey -pubin -outform DER ;;
	*)
		openssl x509 -inform DER -in "$f" -noout -pubkey |
			openssl pkey -pubin -outform DER ;;
	esac | openssl dgst -sha256 -binary | openssl base64 |
		sed "s|^|$f	sha256/|" >>pins.tsv
done
