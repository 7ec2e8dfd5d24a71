# share/teecee.bash, which other projects load: its assertions can fail, it leaves nothing, and the example works.

# In a shell of its own, as a project's test would be: what this suite defines is not there.
helper()
{
	run env -i PATH="$PATH" HOME=/ TMPDIR="${TMPDIR:-/tmp}" bash -c '
		. "$0/share/teecee.bash"
		lan_up || exit 99
		trap lan_down EXIT
		server_start 8000 python3 -m http.server -b "$LAN_SERVER" 8000 || exit 98
		eval "$1"' "$LAN_TOP" "$1"
}

setup() { load common; }

@test "the example: a client tested against loss and resets" {
	run env -u TEECEE_PRIVATE bats --tap "$LAN_TOP/examples/bats"
	assert_success
	assert_line '1..7'
	refute_output --partial 'not ok'
}

@test "the example without root" {
	local top
	top=$(mktemp -d)
	cp -r "$LAN_TOP"/{build,examples,share} "$top/"
	chmod -R a+rX "$top"
	run setpriv --reuid 65534 --regid 65534 --clear-groups env -u TEECEE_PRIVATE HOME=/ TMPDIR=/tmp \
		bats --tap "$top/examples/bats" -f 'good network|5 % loss'
	rm -rf "$top"
	assert_success
	assert_line '1..2'
}

@test "assertions hold, and fail, as they should" {
	helper '
		with_teecee --impair syn-drop=1 curl -sS -o /dev/null http://$LAN_SERVER:8000/ || echo "curl failed"
		check()
		{
			local want=$1 status=0
			shift
			"$@" 2>/dev/null || status=$?
			[ $status = $want ] || echo "$* is $status"
		}
		check 0 assert_packet "http.request"
		check 0 assert_packet "http.request" 1
		check 1 assert_packet "http.request" 2
		check 1 assert_packet "tcp.port == 9"
		check 0 assert_packet "tcp.port == 9" 0
		check 0 refute_packet "tcp.port == 9"
		check 1 refute_packet "http.request"
		check 0 assert_retransmission
		check 1 refute_retransmission
		check 2 assert_packet "tcp.prt == 9"
		check 2 refute_packet "tcp.prt == 9"
		check 7 with_teecee curl -sS -o /dev/null http://$LAN_SERVER:9/
		check 0 refute_retransmission
		check 1 assert_retransmission
		check 0 assert_packet "tcp.flags.reset == 1" 1
		with_teecee true
		check 2 refute_packet "tcp"'
	assert_success
	assert_output ''
}

@test "a failed assertion shows the conversation" {
	helper 'with_teecee curl -sS -o /dev/null http://$LAN_SERVER:8000/; assert_packet "tcp.flags.reset == 1"'
	assert_failure 1
	assert_line 'no packet matches "tcp.flags.reset == 1"'
	assert_line --regexp 'curl\[[0-9]+\] +10\.77\.0\.129:[0-9]+ > 10\.77\.0\.2:8000 +S '
}

@test "nothing is left: no process, no file; not even when the shell is killed" {
	local dir pid
	helper 'with_teecee curl -sS -o /dev/null http://$LAN_SERVER:8000/
		echo "$LAN_DIR $LAN_CLIENT_PID $LAN_SERVER_PID $(cat "$LAN_DIR/server-8000.pid")"'
	assert_success
	read -r -a left <<<"$output"
	[ ${#left[@]} = 4 ]
	[ ! -e "${left[0]}" ]
	for pid in "${left[@]:1}"; do
		wait_for 5 gone "$pid"
	done
	helper 'echo "$LAN_DIR $LAN_CLIENT_PID $LAN_SERVER_PID"; kill -KILL $$'
	[ "$status" = 137 ]
	read -r -a left <<<"$output"
	for pid in "${left[@]:1}"; do
		wait_for 5 gone "$pid"
	done
	rm -rf "${left[0]}"
}

@test "faults are told: a server that does not listen, a rule that is none" {
	helper 'server_start 9000 sh -c "echo no such module"'
	assert_failure
	assert_line --partial 'does not listen on port 9000'
	assert_line 'no such module'
	helper 'with_teecee --impair los=5% true'
	assert_failure 125
	assert_one_clear_line 'position 1, "los=5%"'
}

@test "installed, it finds the command beside it" {
	make -s -C "$LAN_TOP" MODE=release install PREFIX=/usr DESTDIR="$BATS_TEST_TMPDIR" >/dev/null
	run env -i PATH="$PATH" HOME=/ bash -c '
		. "$0/usr/share/teecee/teecee.bash"
		lan_up || exit 99
		trap lan_down EXIT
		echo "$LAN_TEECEE"
		with_teecee true' "$BATS_TEST_TMPDIR"
	assert_success
	assert_output "$BATS_TEST_TMPDIR/usr/bin/teecee"
}
