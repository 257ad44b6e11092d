# What every test of the programs needs.  PINFAST is the program under test.
: "${PINFAST:=$BATS_TEST_DIRNAME/../../build/pinfast}"
CERTS=$BATS_TEST_DIRNAME/../data/certs

pinfast() {
	"$PINFAST" "$@"
}

# A DER file as a PEM block: label, file.
pem() {
	printf -- '-----BEGIN %s-----\n' "$1"
	base64 -w 64 "$2"
	printf -- '-----END %s-----\n' "$1"
}

# The pin that openssl would compute of a public key in PEM.
pin_by_openssl() {
	printf 'sha256/%s\n' "$(openssl pkey -pubin -outform DER "$@" |
	    openssl dgst -sha256 -binary | openssl base64)"
}

expected() {
	sed -n "s|^$1	||p" "$CERTS/pins.tsv"
}

# Fails, and shows what came, unless the output holds this text.
says() {
	case $output in
	*"$1"*) ;;
	*)
		printf 'wanted: %s\ngot (%s): %s\n' "$1" "$status" "$output"
		return 1
		;;
	esac
}

# Status first, then every text that must be said.
gives() {
	[ "$status" -eq "$1" ] || {
		printf 'wanted status %s, got %s: %s\n' "$1" "$status" \
		    "$output"
		return 1
	}
	shift
	for text; do
		says "$text" || return 1
	done
}

# A command whose standard error counts as its output, and nothing else.
complaint() {
	"$@" 2>&1 >/dev/null
}

# From here on `pinfast` runs as somebody whom rights of files hold back: a
# copy that is within reach of everybody.
not_root() {
	[ "$(id -u)" -eq 0 ] || return 0
	cp "$PINFAST" "$(dirname "$PINFAST")/pinfast-policy" .
	chmod 755 . pinfast pinfast-policy
	export PINFAST_EXEC_PATH=.
	pinfast() {
		setpriv --reuid=65534 --regid=65534 --clear-groups \
		    ./pinfast "$@"
	}
}
