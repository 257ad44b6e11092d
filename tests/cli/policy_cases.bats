#!/usr/bin/env bats
# Policies in folders of their own, each with what lint says about it: every
# mistake that the manual names has its sentence here.

load helper

CASES=$BATS_TEST_DIRNAME/../data/policy

# What lint says about the policy in this folder, and its exit status.
told() {
	local status=0

	(cd "$1" && pinfast lint --time 2026-11-21 --ca-keys ../ca-keys.tsv \
	    policy.yaml 2>&1) || status=$?
	echo "exit $status"
}

@test "each mistake gets its sentence, its line and its column" {
	local case bad=0 count=0

	for case in "$CASES"/*/; do
		count=$((count + 1))
		told "$case" >"$BATS_TEST_TMPDIR/told"
		diff -u "$case/expected" "$BATS_TEST_TMPDIR/told" || bad=1
	done
	[ "$count" -ge 226 ]
	[ "$bad" -eq 0 ]
}

@test "what lint calls a mistake of the text is never compiled" {
	local case rules store=$BATS_TEST_TMPDIR/store bad=0

	# Advice does not keep a policy from being compiled.
	rules=$(pinfast lint --list-rules | cut -d' ' -f1 | paste -sd'|')
	for case in "$CASES"/*/; do
		local wanted=0

		grep -v -E "\[($rules)\]$" "$case/expected" |
		    grep -q -E ': error: |^pinfast: ' && wanted=3
		run pinfast compile --time 2026-11-21 --quiet \
		    "$case/policy.yaml" -o "$store"
		if [ "$status" -ne "$wanted" ] ||
		    { [ "$wanted" -ne 0 ] && [ -e "$store" ]; }; then
			echo "$case: status $status, wanted $wanted: $output"
			bad=1
		fi
		rm -f "$store"
	done
	[ "$bad" -eq 0 ]
}

@test "negative cases outnumber positive ones" {
	local bad good

	bad=$(grep -l -E ': (error|warning): |^pinfast: ' \
	    "$CASES"/*/expected | wc -l)
	good=$(ls "$CASES"/*/expected | wc -l)
	good=$((good - bad))
	[ "$bad" -gt "$good" ]
}

@test "every rule of lint has a case" {
	local rule bad=0

	for rule in $(pinfast lint --list-rules | cut -d' ' -f1); do
		grep -q -F "[$rule]" "$CASES"/*/expected || {
			echo "no case for $rule"
			bad=1
		}
	done
	[ "$bad" -eq 0 ]
}

@test "the examples have nothing that lint warns about" {
	local example count=0

	for example in "$BATS_TEST_DIRNAME"/../../share/pinfast/examples/*; do
		run pinfast lint --strict --time 2026-11-21 "$example"
		[ "$status" -eq 0 ] || {
			echo "$output"
			return 1
		}
		count=$((count + 1))
	done
	[ "$count" -ge 4 ]
}

@test "the schema knows exactly the keys that the reader knows" {
	cd "$BATS_TEST_DIRNAME/../.."
	run python3 - <<'END'
import json, re
schema = json.load(open("share/pinfast/policy.schema.json"))

def table(path, name):
    text = open(path).read()
    body = re.search(name + r"\[\d*\] = \{(.*?)\};", text, re.S).group(1)
    return set(re.findall(r'\{"([a-z-]+)"', body))

def keys(part):
    return set(part["properties"])

sets = table("src/policy/entries.c", "pf_set_fields")
for what, wanted, got in (
        ("policy", table("src/policy/text.c", "top_fields"), keys(schema)),
        ("host", table("src/policy/entries.c", "host_fields"),
         keys(schema["$defs"]["host"])),
        ("client", table("src/policy/entries.c", "client_fields"),
         keys(schema["$defs"]["client"])),
        ("set", sets,
         keys(schema["properties"]["pinsets"]["additionalProperties"])),
        ("shadow", sets,
         keys(schema["$defs"]["host"]["properties"]["shadow"]))):
    assert len(wanted) > 2, what
    assert wanted == got, (what, wanted ^ got)
END
	gives 0
}
