# The engine leaves no trace in the programs it serves, and leaves when it is done.

setup_file()
{
	load common
	lan_up
	nginx_up
	peer_up
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
}

@test "x=\$(wget …) returns at once, though the engine stays" {
	local began x ms
	began=${EPOCHREALTIME/./}
	x=$(with_teecee wget -qO- "$LAN_URL/")
	ms=$(((${EPOCHREALTIME/./} - began) / 1000))
	figure "x=\$(wget …) with a cold start: $ms ms"
	assert_equal "$x" "$(cat "$LAN_DIR/www/index.html")"
	engine_pid
	assert [ "$ms" -lt 2000 ]
}

@test "no child, no SIGCHLD, no inherited or low descriptor" {
	run with_teecee "$LAN_TOOLS/invisible" $LAN_SERVER 80
	assert_success
	assert_output ""
	engine_pid
}

@test "the engine holds nothing of the program's: directory, terminal, descriptors, privileges" {
	local pid
	run with_teecee wget -q -O "$LAN_DIR/got" "$LAN_URL/"
	assert_success
	pid=$(engine_pid)
	assert [ "/proc/$pid/cwd" -ef / ]
	assert_equal "$(awk '{ print $6 }' "/proc/$pid/stat")" "$pid"
	run bash -c "tr '\0' '\n' </proc/$pid/environ"
	refute_output --partial LD_PRELOAD
	run bash -c "ls -l /proc/$pid/fd"
	refute_output --partial "$LAN_DIR"
	refute_output --partial 'pipe:'
	# CAP_NET_RAW is bit 13; nothing else may be left.
	run awk '$1 == "CapEff:" || $1 == "CapPrm:" { print $2 }' "/proc/$pid/status"
	for caps in "${lines[@]}"; do
		assert_equal $((16#$caps & ~(1 << 13))) 0
	done
}

@test "programs that start at the same moment share one engine" {
	run bash -c ". '$LAN_TOP/tests/bats/lan.bash'; LAN_DIR=$LAN_DIR; seq 10 |
		with_teecee xargs -P 10 -I{} wget -q --tries=1 -O '$LAN_DIR/same.{}' $LAN_URL/"
	assert_success
	for i in 1 2 3 4 5 6 7 8 9 10; do
		cmp "$LAN_DIR/same.$i" "$LAN_DIR/www/index.html"
	done
	engine_pid
}

@test "the engine leaves TEECEE_IDLE seconds after its last socket" {
	run with_teecee env TEECEE_IDLE=1 wget -q -O "$LAN_DIR/got" "$LAN_URL/"
	assert_success
	engine_pid
	wait_for 4 no_engine
}

@test "TEECEE_CC is the congestion control of a connection that asks for none" {
	kill_engines
	run with_teecee env TEECEE_CC=reno /usr/bin/python3 -c 'import socket, sys
s = socket.create_connection((sys.argv[1], 80))
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode())' "$LAN_SERVER"
	assert_success
	assert_output reno
	kill_engines
}

@test "teecee stop ends the engine" {
	run with_teecee wget -q -O "$LAN_DIR/got" "$LAN_URL/"
	assert_success
	engine_pid
	run in_client "$LAN_TEECEE" stop -i va --ip "$LAN_FAKE/24"
	assert_success
	wait_for 3 no_engine
}

@test "a program that never opens a TCP socket starts no engine, and stdout stays its own" {
	run with_teecee bash -c 'echo hello; ls / >/dev/null; id >/dev/null; true'
	assert_success
	assert_output hello
	no_engine
}

@test "loopback and TEECEE_BYPASS stay with the kernel" {
	spawn local in_client nc -l -k 127.0.0.1 7100
	wait_for 5 listening client 7100
	run with_teecee bash -c 'exec 5<>/dev/tcp/127.0.0.1/7100; echo hello >&5'
	assert_success
	wait_for 5 grep -q hello "$LAN_DIR/local.log"
	no_engine
	run with_teecee env TEECEE_BYPASS=10.77.0.0/24 curl -sS -o "$LAN_DIR/got" "$LAN_URL:8000/plain/10"
	assert_success
	assert_equal "$(awk '$2 == "from" { a = $3 } END { print a }' "$LAN_DIR/peer.log")" "$LAN_KERNEL"
	no_engine
}
