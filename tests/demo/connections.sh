#!/bin/sh
# The main job: real TLS connections over loopback, a server, an impostor, and
# two key changes.  Makes its own keys in a temporary folder, which is removed
# in the end, and starts only servers that it stops.
#
#   tests/demo/connections.sh FOLDER OF THE PROGRAMS
set -eu
build=$(cd "$1" && pwd)
PATH=$build:$PATH
work=$(mktemp -d)
server=
stop() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
	server=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cd "$work"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi

tell() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

ca() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 2 2>>log
}

certificate() { # NAME ISSUER
	[ -f "$1.key" ] || openssl genpkey -algorithm EC \
	    -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>>log
	openssl req -new -key "$1.key" -out "$1.csr" -subj "/CN=api.example.com" 2>>log
	printf 'subjectAltName=DNS:api.example.com\n' >ext
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 2 \
	    -out "$1.pem" -extfile ext 2>>log
}

# Starts a real server (`openssl s_server`) and waits until it says its port.
serve() { # CERTIFICATE [OPTIONS...]
	stop
	certificate=$1
	shift
	rm -f said typed
	mkfifo said typed
	exec 6<>typed # at the end of its input it would quit
	openssl s_server -accept 127.0.0.1:0 -cert "$certificate.pem" \
	    -key "$certificate.key" "$@" <&6 >said 2>>log &
	server=$!
	exec 7<said
	port=
	while [ -z "$port" ] && read -r line <&7; do
		case $line in
		ACCEPT*) port=${line##*:} ;;
		esac
	done
	cat <&7 >received &
}

# A GET by examples/openssl-client.c; it must end with this status.
visit() { # STATUS
	echo '$ openssl-client policy.store api.example.com ...'
	got=0
	"$build/examples/openssl-client" policy.store api.example.com "$port" \
	    trust.pem 127.0.0.1 >page 2>why || got=$?
	if [ "$got" = 0 ]; then
		echo "the page came: $(wc -c <page) bytes"
	else
		sed 's/; /;\n    /g' why
	fi
	[ "$got" = "$1" ] || {
		echo "demo: this gave status $got, and should give $1" >&2
		exit 1
	}
}

# pinfast, told where the server is, and not left to ask DNS.
there() {
	pinfast "$@" --connect-to "api.example.com:443:127.0.0.1:$port" \
	    --ca-file trust.pem
}

# Shows a command and what it says; it must end with this status.
must() {
	want=$1
	shift
	echo "\$ $*" | sed 's/^. there/$ pinfast/'
	got=0
	"$@" 2>&1 || got=$?
	[ "$got" = "$want" ] || {
		echo "demo: this gave status $got, and should give $want" >&2
		exit 1
	}
}

pin() {
	pinfast pin --plain "$1" | head -n 1
}

write_policy() { # SERIAL PINS...
	printf 'pinfast: 1\nserial: %s\nhosts:\n  - name: api.example.com\n    leaf:\n' "$1"
	shift
	for p; do
		printf '      - %s\n' "$p"
	done
}

[ -x "$build/examples/openssl-client" ] || {
	echo 'demo: OpenSSL is missing, so there are no connections to show' >&2
	exit 1
}
ca honest-ca
ca careless-ca
cat honest-ca.pem careless-ca.pem >trust.pem
certificate server honest-ca
certificate impostor careless-ca
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out backup.key 2>>log

tell '1. The policy pins the key in service and a backup key in the safe:'
write_policy 1 "$(pin server.pem)" "$(pin backup.key)" >policy.yaml
cat policy.yaml
pinfast compile policy.yaml -o policy.store

tell '2. The honest server is served as without pinfast:'
serve server -www
visit 0

tell '3. An impostor has a valid certificate for the name, from a CA that the
   client trusts.  No byte of the request reaches it:'
# It appends the pinned certificate: what careless checks fall for.
cat server.pem >>impostor.pem
serve impostor
visit 1
stop
# It prints what it receives.
echo "requests that reached the impostor: $(grep -c GET received)" | tee count
grep -q ': 0$' count || exit 1

tell '4. The server loses its key and takes the backup key.  Nobody notices:'
cp backup.key renewed.key
certificate renewed honest-ca
serve renewed -www
visit 0

tell '5. Somebody takes a new key and forgets the policy.  Asked before it goes
   live, pinfast says what would break:'
certificate forgotten honest-ca
must 1 pinfast check policy.yaml --new-cert forgotten.pem

tell '6. It goes live all the same.  Clients are safe, and say which key to
   publish; so does a check of the servers, from cron or CI:'
serve forgotten -www
visit 1
must 1 there check policy.yaml

tell '7. The policy is completed, and everybody is back:'
write_policy 2 "$(pin renewed.pem)" "$(pin forgotten.pem)" >policy.yaml
pinfast compile policy.yaml -o policy.store
visit 0
must 0 there check policy.yaml

tell '8. Nobody has to begin with an empty page.  A backup key, what the server
   shows now, and a first policy that only reports:'
must 0 pinfast keygen spare.key
must 0 there pin api.example.com
must 0 there init api.example.com --backup spare.key
