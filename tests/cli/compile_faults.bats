#!/usr/bin/env bats
# `pinfast compile` that dies or finds the disk full at every system call:
# afterwards there is the old store or the new one, whole, and nothing else.

load helper

: "${NTH:=$(dirname "$PINFAST")/tests/tools/nth}"
: "${PINFAST_POLICY:=$(dirname "$PINFAST")/pinfast-policy}"

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir out
	write_policy 1 leaf >old.yaml
	write_policy 2 root >new.yaml
	pinfast compile --quiet old.yaml -o old
	pinfast compile --quiet new.yaml -o new
	! cmp -s old new
}

write_policy() { # serial, certificate
	cat <<END
pinfast: 1
serial: $1
hosts:
  - name: www.example.test
    leaf:
      - $(expected "$2.der")
      - $(expected p384.der)
END
}

compile_nth() { # how, which call
	"$NTH" "$1" "$2" "$PINFAST_POLICY" compile new.yaml -o out/store \
	    >said 2>&1
}

# Nothing but the store is in the folder, and it is the old or the new one.
check_folder() { # how, which call, status, what was there
	files=$(ls -A out)
	[ "$1" = kill ] || [ "$files" = store ] ||
	    { [ "$4" = nothing ] && [ -z "$files" ]; } || {
		echo "$1 at call $2 (status $3) leaves: $files"
		return 1
	}
	if [ -e out/store ]; then
		cmp -s out/store new || cmp -s out/store "$4" || {
			echo "$1 at call $2: half a store"
			return 1
		}
	elif [ "$4" != nothing ]; then
		echo "$1 at call $2: the old store is gone"
		return 1
	fi
	[ "$3" -ne 0 ] || cmp -s out/store new || {
		echo "$1 at call $2: status 0 without the new store"
		return 1
	}
}

every_call() { # how, what is there before: old or nothing
	set +T # what traces each command makes this ten times slower
	trap - DEBUG
	[ -x "$NTH" ] || skip 'no nth for this machine or build'
	call=1
	changed=0
	refused=0
	while :; do
		rm -f out/*
		[ "$2" = nothing ] || cp old out/store
		status=0
		compile_nth "$1" "$call" || status=$?
		[ "$status" -ne 98 ] || { cat said; return 1; }
		[ "$status" -ne 99 ] || break
		check_folder "$1" "$call" "$status" "$2" || return 1
		if cmp -s out/store new; then
			changed=$((changed + 1))
		else
			refused=$((refused + 1))
		fi
		call=$((call + 1))
	done
	# Both outcomes must have been seen, or nothing was tested.
	echo "$call calls: $changed with the new store, $refused without"
	[ "$changed" -gt 0 ] && [ "$refused" -gt 20 ]
}

@test "killed at each system call: the old store or the new one" {
	every_call kill old
}

@test "killed at each system call: no store or a whole one" {
	every_call kill nothing
}

@test "a full disk at each system call: one whole store, nothing else" {
	every_call ENOSPC old
}

@test "a full disk at each system call: no half store appears" {
	every_call ENOSPC nothing
}

@test "an input or output error at each system call: one whole store" {
	every_call EIO old
}

@test "a policy with an error leaves the old store as it is" {
	cp old out/store
	echo 'nonsense: 1' >>new.yaml
	run pinfast compile new.yaml -o out/store
	[ "$status" -eq 3 ]
	cmp out/store old
	[ "$(ls -A out)" = store ]
}

@test "a policy with an error makes no store" {
	echo 'nonsense: 1' >>new.yaml
	run pinfast compile new.yaml -o out/store
	[ "$status" -eq 3 ]
	[ -z "$(ls -A out)" ]
}

@test "a folder that is not there, or is the target, is named" {
	run pinfast compile new.yaml -o none/store
	gives 3 'none/store: cannot be written: No such file'
	run pinfast compile new.yaml -o out
	gives 3 'out: is a directory, not a file'
	[ -z "$(ls -A out)" ]
}

@test "a full disk: /dev/full is no place for a store" {
	run pinfast compile new.yaml -o /dev/full
	gives 3 '/dev/full: is a device, not a file'
	[ -c /dev/full ]
}
