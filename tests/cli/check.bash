# What the tests of `pinfast check` have in common: servers, and a policy.

setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	make_world
	plain_servers
	for manner in silent drip garbage closing alert; do
		manner_server $manner
		echo "$PORT" >$manner
	done
	python3 -c '
import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >dead
}

teardown_file() {
	end_servers
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return 1
	policy "{ name: www.example.test, leaf: [$(pin leaf)] }"
}

pin() {
	pinfast pin --plain "$1.pem"
}

# policy ENTRY... into policy.yaml
policy() {
	printf 'pinfast: 1\nhosts:\n' >policy.yaml
	printf '  - %s\n' "$@" >>policy.yaml
}

check() {
	pinfast check policy.yaml --ca-file root.pem --timeout 5 "$@"
}

# The addresses of a name and port: at HOST:PORT SERVER...
at() {
	local name=$1
	shift
	for server; do
		echo --connect-to "$name:127.0.0.1:$(cat "$server")"
	done
}

# python EXPRESSION: true of v, the JSON output, and s, its servers.
holds() {
	python3 -c '
import json, sys
v = json.loads(sys.argv[1])
s = {"%s:%d" % (x["host"], x["port"]): x for x in v["servers"]}
assert eval(sys.argv[2]), v' "$output" "$1"
}
