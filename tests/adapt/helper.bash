# A small public key infrastructure and servers over loopback, for tests of
# adapters.  Everything lies in $BATS_FILE_TMPDIR.
# shellcheck shell=bash

: "${PINFAST:?is the program to test}"

ca() { # NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$1.key" -out "$1.pem" -subj "/CN=$1" -days 30 2>>pki.log
}

signed() { # NAME ISSUER EXTENSIONS
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>>pki.log
	printf '%b' "$3" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 30 \
	    -out "$1.pem" -extfile "$1.ext" 2>>pki.log
}

make_pki() {
	ca rootA
	ca rootB
	signed intA rootA 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n'
	signed leaf intA 'subjectAltName=DNS:pin.test,DNS:two.test\n'
	signed evil rootB 'subjectAltName=DNS:pin.test\n'
	signed client intA 'extendedKeyUsage=clientAuth\n'
	signed stranger intA 'extendedKeyUsage=clientAuth\n'
	cat leaf.pem intA.pem >leaf-chain.pem
	# What a careless check over the sent certificates would accept.
	cat evil.pem leaf.pem intA.pem >evil-chain.pem
	cat client.pem intA.pem >client-chain.pem
	cat stranger.pem intA.pem >stranger-chain.pem
	cat rootA.pem rootB.pem >trust.pem
}

pin_of() {
	"$PINFAST" pin --plain "$1.pem" | head -n 1
}

policy() { # NAME TEXT-OF-THE-ENTRIES
	printf 'pinfast: 1\n%b\n' "$2" >"$1.yaml"
	"$PINFAST" compile "$1.yaml" -o "$1.store" >/dev/null
}

# Starts `openssl s_server` and waits until it says its port.  What it could
# read itself never ends, or it would leave with the first who comes.
start_server() { # CERT OPTIONS...
	local cert=$1
	shift
	rm -f said silence
	mkfifo said silence
	openssl s_server -accept 127.0.0.1:0 -cert "$cert.pem" \
	    -cert_chain "$cert-chain.pem" -key "$cert.key" "$@" <>silence >said \
	    2>server.log &
	SERVER=$!
	exec 7<said
	while read -r line <&7; do
		case $line in
		ACCEPT*)
			PORT=${line##*:}
			break
			;;
		esac
	done
	cat <&7 >server.out &
	READER=$!
}

stop_server() {
	kill "$SERVER" 2>/dev/null || :
	wait "$SERVER" 2>/dev/null || :
	[ -z "${READER:-}" ] || wait "$READER" || :
	exec 7<&-
}

# Waits until a file that a server writes has it.
comes() { # FILE TEXT
	for _ in $(seq 200); do
		! grep -q "$2" "$1" || return 0
		sleep 0.05
	done
	echo "$1 never has $2"
	return 1
}

lacks() { # FILE TEXT
	[ -f "$1" ] || return 1
	if grep "$2" "$1"; then
		return 1
	fi
}
