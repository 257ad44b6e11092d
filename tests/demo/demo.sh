#!/bin/sh
# What pinfast does: first on real connections (connections.sh), then to the
# policy, on certificates that lie in this tree.  Works in a
# temporary folder that is removed in the end.  Stops, with status 1, when a
# command does not end as this script says it must.
#
#   tests/demo/demo.sh [FOLDER OF THE PROGRAMS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$here/../../build}" && pwd)
PATH=$build:$PATH
certs=$here/../data/certs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for c in leaf root p384; do
	cp "$certs/$c.der" "$work"
done
cd "$work"

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi

tell() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

# Shows a command and what it says; it must end with this status.
must() {
	want=$1
	shift
	printf '$ %s\n' "$*"
	got=0
	"$@" >said 2>&1 || got=$?
	# JSON comes as one line; people read it easier as several.
	case $* in
	*explain*) sed 's/,"\([a-z-]*\)":/,\n   "\1":/g' said ;;
	*) cat said ;;
	esac
	[ "$got" = "$want" ] || {
		echo "demo: this gave status $got, and should give $want" >&2
		exit 1
	}
	[ "$want" = 0 ] || printf '(status %s)\n' "$got"
}

mistakes=0
# The policy with one thing wrong: a sed command that spoils it, a part of
# what must be said, and the status of lint.
mistake() {
	name=$1 status=$2 wanted=$3
	shift 3
	sed "$@" policy.yaml >wrong.yaml
	got=0
	pinfast lint --horizon 0 wrong.yaml >said 2>&1 || got=$?
	printf '%s\n' "- $name"
	sed 's/^wrong.yaml:/    /' said
	if [ "$got" != "$status" ] || ! grep -qF -- "$wanted" said; then
		echo "demo: status $got, and should be $status with" \
		    "\"$wanted\"" >&2
		exit 1
	fi
	mistakes=$((mistakes + 1))
}

"$here/connections.sh" "$build"

tell 'And the policy itself.'
tell '1. A pin is the hash of a key.  Here are those of three certificates:'
must 0 pinfast pin leaf.der p384.der root.der
leaf=$(pinfast pin --plain leaf.der)
backup=$(pinfast pin --plain p384.der)
root=$(pinfast pin --plain root.der)

tell '2. A policy says which keys each server may show:'
cat >policy.yaml <<END
pinfast: 1
serial: 1
hosts:
  - name: api.example.com
    subdomains: any
    leaf:
      - $leaf
      - { pin: $backup, note: "backup, offline" }
  - name: shop.example.com
    port: 8443
    ca: [$root, $backup]
    mode: report
reject: [$(printf '%s' "$(pinfast pin --plain "$certs/rsa.der")")]
END
cat policy.yaml

tell '3. lint finds nothing wrong, and compile makes what programs load:'
must 0 pinfast lint policy.yaml
must 0 pinfast compile policy.yaml -o policy.store

tell '4. explain says which entry speaks for a host, in text or compiled:'
must 0 pinfast explain policy.store v2.api.example.com:443
must 0 pinfast explain policy.yaml elsewhere.example

tell '5. What mistakes get (place, what is wrong, rule):'
mistake 'the backup pin forgotten: lawful, and unwise' 0 no-backup-pin \
    /backup,/d
mistake 'a fingerprint instead of a pin' 1 'cert-sha256/' \
    "s|- sha256/.*|- $(openssl x509 -inform DER -in leaf.der -noout \
	-fingerprint -sha256 | cut -d= -f2)|"
mistake 'a pin with a letter lost' 1 error "s|- sha256/.|- sha256/|"
mistake 'a key misspelled' 1 subdomain 's/subdomains:/subdomain:/'
mistake 'the same host twice' 1 error \
    's/shop.example.com/api.example.com/; s/port: 8443/subdomains: one/'
mistake 'an enforced entry without pins' 1 error \
    '/leaf:/,/backup/d; /subdomains/d'
mistake 'a pin for a whole public suffix' 1 error 's/api.example.com/co.uk/'
mistake 'an address that no two programs read alike' 1 error \
    's/api.example.com/0xc0.0.2.1/'
mistake 'an expiry that does not say what then happens' 1 on-expiry \
    's/mode: report/expires: 2027-05-01/'

tell 'A policy with an error is never compiled, and the old store stays:'
before=$(cksum <policy.store)
must 3 pinfast compile wrong.yaml -o policy.store
[ "$before" = "$(cksum <policy.store)" ] || {
	echo 'demo: the store changed' >&2
	exit 1
}

tell "That was pinfast: $mistakes mistakes, each with its place and reason.  \
Next: man/pinfast.1"
