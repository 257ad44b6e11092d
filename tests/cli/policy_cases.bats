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
	[ "$count" -ge 222 ]
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
