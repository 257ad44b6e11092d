#!/usr/bin/env bats
# Lint knows the keys of public CAs.

@test "two pins of one CA are told, two of different CAs are not" {
	keys="$BATS_TEST_DIRNAME/../../share/pinfast/ca-keys.tsv"
	one=$(awk -F'\t' '$2 == "digicert" {print $1}' "$keys" | sed -n 1p)
	two=$(awk -F'\t' '$2 == "digicert" {print $1}' "$keys" | sed -n 2p)
	other=$(awk -F'\t' '$2 == "letsencrypt" {print $1}' "$keys" | sed -n 1p)
	[ -n "$one" ] && [ -n "$two" ] && [ -n "$other" ]
	policy="$BATS_TEST_TMPDIR/policy.yaml"
	printf 'pinfast: 1\nhosts:\n  - { name: a.test, ca: [%s, %s] }\n' "$one" "$two" >"$policy"
	run "$PINFAST" lint --ca-keys "$keys" "$policy"
	[ "$status" -eq 0 ]
	[[ "$output" == *"all pinned keys belong to one CA: digicert [one-ca]"* ]]
	printf 'pinfast: 1\nhosts:\n  - { name: a.test, ca: [%s, %s] }\n' "$one" "$other" >"$policy"
	run "$PINFAST" lint --ca-keys "$keys" "$policy"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	printf 'pinfast: 1\nhosts:\n  - { name: a.test, ca: [%s] }\n' "$one" >"$policy"
	run "$PINFAST" lint --ca-keys "$keys" "$policy"
	[[ "$output" == *"[lone-root]"* ]]
}

@test "the intermediate of a CA that chooses at random is an error" {
	keys="$BATS_TEST_DIRNAME/../../share/pinfast/ca-keys.tsv"
	one=$(awk -F'\t' '$3 == "intermediate" {print $1}' "$keys" | sed -n 1p)
	[ -n "$one" ]
	policy="$BATS_TEST_TMPDIR/policy.yaml"
	printf 'pinfast: 1\nhosts:\n  - { name: a.test, ca: [%s] }\n' "$one" >"$policy"
	run "$PINFAST" lint --ca-keys "$keys" "$policy"
	[ "$status" -eq 1 ]
	[[ "$output" == *": error: a.test: this CA picks its intermediate at random"*"[random-ca]"* ]]
}
