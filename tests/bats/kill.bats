# Sudden deaths, on either side of the data socket. A response that was cut off must never look complete.

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
	: >"$LAN_DIR/peer.log"
}

# cut_off NAME COMMAND…: the program has received the beginning of a response that has no Content-Length when its
# engine is killed. Its status and output are left for the test.
cut_off()
{
	spawn "$1" with_teecee "${@:2}"
	wait_for 10 peer_said 'held /hold/' || fail "no response began: $(cat "$LAN_DIR/$1.log")"
	kill -KILL "$(engine_pid)"
	finish 10 "$1"
}

@test "engine killed: wget --tries=1 reports an error" {
	cut_off wget wget --tries=1 -O "$LAN_DIR/cut" "$LAN_URL:8000/hold/300000"
	assert_equal "$status" 4
}

@test "engine killed: curl reports an error" {
	cut_off curl curl -sS -o "$LAN_DIR/cut" "$LAN_URL:8000/hold/300000"
	assert_equal "$status" 56
}

@test "engine killed: a stdio reader sees an error" {
	cut_off reader "$LAN_TOOLS/reader" $LAN_SERVER 8000 /hold/300000
	assert_equal "$status" 1
	assert_output --partial "error: Connection reset by peer"
}

@test "engine killed: a static child that inherited the socket sees an error" {
	cut_off static "$LAN_TOOLS/reader" $LAN_SERVER 8000 /hold/300000 "$LAN_TOOLS/static_drain"
	assert_equal "$status" 1
	assert_output --partial "error: Connection reset by peer"
}

@test "engine killed: a shell that copies the stream sees an error" {
	cut_off cat bash -c "exec 5<>/dev/tcp/$LAN_SERVER/8000; printf 'GET /hold/300000 HTTP/1.0\r\n\r\n' >&5
		exec cat <&5 >/dev/null"
	assert_equal "$status" 1
}

@test "engine killed: a listener learns it, new sockets work again at once" {
	cat >"$LAN_DIR/accept.py" <<-'PY'
		import socket
		s = socket.create_server(("0.0.0.0", 9000))
		print("listening", flush=True)
		try:
		    s.accept()
		except OSError as e:
		    print(e.errno, e.strerror)
	PY
	spawn accept with_teecee /usr/bin/python3 "$LAN_DIR/accept.py"
	wait_for 10 grep -q listening "$LAN_DIR/accept.log"
	kill -KILL "$(engine_pid)"
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	assert_success
	finish 5 accept
	assert_output --partial "100 Network is down"
}

@test "program killed: the peer sees it within 1 s" {
	local began ended
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	for program in wget curl; do
		: >"$LAN_DIR/peer.log"
		case $program in
		wget) spawn victim with_teecee wget -q -O "$LAN_DIR/cut" "$LAN_URL:8000/hold/300000" ;;
		curl) spawn victim with_teecee curl -sS -o "$LAN_DIR/cut" "$LAN_URL:8000/hold/300000" ;;
		esac
		wait_for 10 peer_said 'held /hold/'
		began=$EPOCHREALTIME
		kill -KILL "$(cat "$LAN_DIR/victim.pid")"
		wait_for 3 peer_said 'gone' || fail "the peer saw nothing within 3 s"
		ended=$(awk '$2 == "gone" { print $1 }' "$LAN_DIR/peer.log")
		figure "$program killed: $(sed -n 's/.*gone \(...\).*/\1/p' "$LAN_DIR/peer.log") at the peer after" \
			"$(awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.1f", (b - a) * 1000 }') ms"
		run awk -v a="$began" -v b="$ended" 'BEGIN { exit !(b - a < 1) }'
		assert_success
	done
}

@test "program killed in the middle of 1 GiB: the engine lives on, for others" {
	local engine
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	engine=$(engine_pid)
	spawn victim with_teecee curl -sS -o /dev/null "$LAN_URL:8000/hold/1073741824"
	wait_for 10 peer_said 'from'
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	assert_success
	kill -KILL "$(cat "$LAN_DIR/victim.pid")"
	wait_for 3 peer_said 'gone'
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	assert_success
	assert_equal "$(engine_pid)" "$engine"
}

@test "peer resets in the middle: an error, after what it had sent" {
	run with_teecee "$LAN_TOOLS/reader" $LAN_SERVER 8000 /reset/300000
	assert_failure 1
	assert_output --partial "error: Connection reset by peer"
	run with_teecee wget -q --tries=1 -O "$LAN_DIR/cut" "$LAN_URL:8000/reset/300000"
	assert_failure 4
	run with_teecee curl -sS -o "$LAN_DIR/cut" "$LAN_URL:8000/reset/300000"
	assert_failure 56
}

@test "interface taken down in the middle: no end that looks like one" {
	spawn reader with_teecee timeout 20 "$LAN_TOOLS/reader" $LAN_SERVER 8000 /hold/300000
	wait_for 10 peer_said 'held /hold/'
	ip -n client link set va down
	kill_engines
	ip -n client link set va up
	finish 10 reader
	assert_equal "$status" 1
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	assert_success
}
