# The other directions: uploads, and programs that listen.

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

setup() { load common; }

reachable() { in_server bash -c "</dev/tcp/$LAN_FAKE/$1" 2>/dev/null; }

@test "curl -T uploads 100 MiB" {
	"$LAN_TOOLS/noise" 104857600 >"$LAN_DIR/up"
	run with_teecee curl -sS -T "$LAN_DIR/up" "$LAN_URL:8000/up"
	assert_success
	assert_output "$(sha256 "$LAN_DIR/up")"
}

# A listening nc ends when its peer has ended, whatever it still has to send: the peer waits until all is there.
came_back() { [ "$(stat -c %s "$LAN_DIR/back.got")" = 2000000 ]; }

@test "nc under the shim connects, both ways" {
	"$LAN_TOOLS/noise" 3000000 1 >"$LAN_DIR/there"
	"$LAN_TOOLS/noise" 2000000 2 >"$LAN_DIR/back"
	spawn nc-server in_server bash -c "nc -N -l $LAN_SERVER 7000 <'$LAN_DIR/back' >'$LAN_DIR/there.got'"
	wait_for 5 listening server 7000
	{ cat "$LAN_DIR/there" && wait_for 10 came_back; } |
		with_teecee timeout 30 nc -N $LAN_SERVER 7000 >"$LAN_DIR/back.got"
	finish 10 nc-server
	assert_equal "$status" 0
	cmp "$LAN_DIR/there" "$LAN_DIR/there.got"
	cmp "$LAN_DIR/back" "$LAN_DIR/back.got"
}

@test "nc under the shim listens, both ways" {
	"$LAN_TOOLS/noise" 3000000 3 >"$LAN_DIR/there"
	"$LAN_TOOLS/noise" 2000000 4 >"$LAN_DIR/back"
	spawn nc-listen with_teecee bash -c "exec nc -N -l 7002 <'$LAN_DIR/back' >'$LAN_DIR/there.got'"
	got_back()
	{
		{ cat "$LAN_DIR/there" && wait_for 10 came_back; } |
			in_server timeout 30 nc -N $LAN_FAKE 7002 >"$LAN_DIR/back.got" 2>/dev/null
	}
	wait_for 10 got_back
	finish 10 nc-listen
	assert_equal "$status" 0
	cmp "$LAN_DIR/there" "$LAN_DIR/there.got"
	cmp "$LAN_DIR/back" "$LAN_DIR/back.got"
}

@test "python3 -m http.server under the shim serves a wget of the kernel's" {
	mkdir -p "$LAN_DIR/served"
	"$LAN_TOOLS/noise" 20000000 >"$LAN_DIR/served/file"
	spawn http-server with_teecee /usr/bin/python3 -m http.server -d "$LAN_DIR/served" 8080
	wait_for 10 reachable 8080
	run in_server wget -q --tries=1 -O "$LAN_DIR/file" "http://$LAN_FAKE:8080/file"
	assert_success
	cmp "$LAN_DIR/file" "$LAN_DIR/served/file"
	run in_server curl -sS --parallel --parallel-max 8 -o "$LAN_DIR/#1.out" "http://$LAN_FAKE:8080/file?[1-8]"
	assert_success
	for i in 1 2 3 4 5 6 7 8; do
		cmp "$LAN_DIR/$i.out" "$LAN_DIR/served/file"
	done
	kill "$(cat "$LAN_DIR/http-server.pid")"
}

@test "examples/listen serves from a spoofed address" {
	spawn listen in_client "$LAN_TOP/build/examples/listen" 10.77.0.142/24 8081 1 va
	fetch() { in_server curl -sS --max-time 5 -o "$LAN_DIR/listen.out" http://10.77.0.142:8081/ 2>/dev/null; }
	wait_for 10 fetch
	finish 5 listen
	assert_equal "$status" 0
	run cat "$LAN_DIR/listen.out"
	refute_output ""
}

@test "the spoofed address answers ping while the engine lives" {
	run with_teecee curl -sS -o "$LAN_DIR/page" "$LAN_URL/"
	assert_success
	run in_server ping -c 3 -i 0.01 -W 2 $LAN_FAKE
	assert_success
	assert_output --partial "3 received"
}
