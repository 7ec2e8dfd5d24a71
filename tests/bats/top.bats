# teecee top, seen through a terminal: that it draws, sorts, follows the terminal's size, and leaves it as it was.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 30m 31457280 >"$LAN_DIR/30m.sha"
}

teardown_file()
{
	load common
	lan_down
}

setup()
{
	load common
	kill_engines
	SOCKET=$BATS_TEST_TMPDIR/tmux
}

tm() { tmux -S "$SOCKET" "$@"; }
screen() { tm capture-pane -p -t top; }
shows() { screen | grep -qE -- "$1"; }
shows_not() { ! shows "$1"; }

# top_start COLUMNS LINES [VARIABLE=VALUE…]: a terminal of that size with teecee top in it; then a line with its exit
# status, and what the terminal's modes are before and behind.
top_start()
{
	local x=$1 y=$2
	shift 2
	# shellcheck disable=SC2016 # for the inner shell
	in_client env -u TMUX LC_ALL=C.UTF-8 "$@" tmux -S "$SOCKET" -f /dev/null new-session -d -s top -x "$x" -y "$y" \
		sh -c 'trap : INT; stty -g >"$1/before"; "$0" top; echo "ended with $?"; stty -g >"$1/after"
			exec cat' "$LAN_TEECEE" "$BATS_TEST_TMPDIR"
	wait_for 10 shows 'teecee top: engines'
}

# The terminal is what it was: not the other screen, a cursor, the modes of before.
is_restored()
{
	[ "$(tm display-message -p -t top '#{alternate_on} #{cursor_flag}')" = '0 1' ]
	diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

# Two downloads, of which one is slow.
two_downloads()
{
	spawn fast in_client "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --impair 'in delay=20ms rate=20mbit' -- \
		curl -sS -o /dev/null $LAN_URL/30m
	up() { in_client "$LAN_TEECEE" ss | grep -q ESTAB; }
	wait_for 10 up
	spawn slow in_client "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 -- \
		wget -q --limit-rate=50k -O /dev/null $LAN_URL/30m
	both() { [ "$(in_client "$LAN_TEECEE" ss | grep -c ESTAB)" = 2 ]; }
	wait_for 10 both
}

curl_first() { screen | grep -E '^(curl|wget)\[' | head -n 1 | grep -q '^curl'; }
wget_first() { ! curl_first; }

@test "it draws totals, sockets with their process, and sparklines" {
	two_downloads
	top_start 120 24
	wait_for 10 shows 'engines 1, sockets 2'
	wait_for 10 shows '^received +[0-9.]+Mbit/s +[▁▂▃▄▅▆▇█]+ +sent +[0-9.]+k?bit/s +[▁▂▃▄▅▆▇█]'
	wait_for 10 shows '^mean round trip +[0-9.]+ms +[▁▂▃▄▅▆▇█]+'
	local blocks='[▁▂▃▄▅▆▇█]{3,}'
	local numbers="[0-9.]+M +[0-9.]+k? +$blocks +[0-9.]+ms +$blocks +[0-9]+"
	wait_for 10 shows "^curl\\[[0-9]+\\] +10\\.77\\.0\\.2:80 +ESTAB +$numbers\$"
	shows '^wget\[[0-9]+\] +10\.77\.0\.2:80 +ESTAB '
	shows 'r rate +t round trip +x retransmitted +p process +a address +i invert +space pause +q quit'
	tm send-keys -t top q
	wait_for 5 shows '^ended with 0$'
	is_restored
}

@test "it sorts by what is asked, and inverts" {
	two_downloads
	top_start 120 24
	wait_for 10 curl_first
	wait_for 10 shows '^curl\[.* [0-9.]+M '
	tm send-keys -t top i
	wait_for 5 wget_first
	tm send-keys -t top i
	wait_for 5 curl_first
	tm send-keys -t top p i
	wait_for 5 wget_first
	tm send-keys -t top i
	wait_for 5 curl_first
	tm send-keys -t top ' '
	wait_for 5 shows PAUSED
	kill_engines
	tm send-keys -t top ' '
	wait_for 5 shows 'engines 0, sockets 0'
	shows 'no engine runs here'
	tm send-keys -t top q
	wait_for 5 shows '^ended with 0$'
	is_restored
}

@test "it follows the size of the terminal, down to nothing, and wraps no line" {
	two_downloads
	top_start 120 24
	wait_for 10 shows '^curl.*ESTAB'
	tm resize-window -t top -x 80 -y 12
	wait_for 5 shows '^curl\[[0-9]+\] +10\.77\.0\.2:80 +[0-9.]+M'
	wait_for 5 shows_not ESTAB
	[ "$(screen | grep -c '^curl')" = 1 ]
	tm resize-window -t top -x 20 -y 3
	wait_for 5 shows '^teecee top'
	tm resize-window -t top -x 1 -y 1
	wait_for 5 shows_not teecee
	tm resize-window -t top -x 130 -y 30
	wait_for 5 shows '^curl.*ESTAB'
	tm send-keys -t top q
	wait_for 5 shows '^ended with 0$'
	is_restored
}

@test "SIGINT and SIGTERM leave the terminal as it was" {
	local pid
	top_start 80 24
	tm send-keys -t top C-c
	wait_for 5 shows '^ended with 130$'
	is_restored
	tm kill-server
	SOCKET=$SOCKET-2 # the first server may still be on its way out
	top_start 80 24
	for pid in $(ip netns pids client); do
		[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" != "$LAN_TEECEE top " ] || kill -TERM "$pid"
	done
	wait_for 5 shows '^ended with 143$'
	is_restored
}

@test "without UTF-8 it draws in ASCII" {
	two_downloads
	top_start 120 24 LC_ALL=C
	wait_for 10 shows '^curl.* [_.:=+*#-]{3,} '
	shows_not '[▁▂▃▄▅▆▇█]'
	tm send-keys -t top q
	wait_for 5 shows '^ended with 0$'
}

@test "where there is no terminal: one line; an interval that cannot be: its position" {
	run in_client "$LAN_TEECEE" top </dev/null
	assert_failure 125
	assert_one_clear_line 'no terminal.*teecee ss'
	run in_client "$LAN_TEECEE" top --interval 1s
	assert_failure 125
	assert_one_clear_line '--interval=1s: position 2, "s".*as in --interval 2'
	run in_client env TERM=nothing-known script -qec "$LAN_TEECEE top" /dev/null
	assert_output --partial 'terminal "nothing-known" is not known'
}
