# Downloads and uploads over a bad cable (tests/tools/wire): whole, and no faster than the cable.

setup_file()
{
	load common
	lan_up
	lan_wire
	nginx_up
	peer_up
	docroot_file 4m 4194304
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

fetch_whole()
{
	run with_teecee curl -sS --max-time 60 -o "$LAN_DIR/got" "$LAN_URL/4m"
	assert_success
	cmp "$LAN_DIR/got" "$LAN_DIR/www/4m"
}

# What the wire has said of one of its counts, both directions.
wire_says()
{
	kill -USR1 "$(cat "$LAN_DIR/wire.pid")"
	wait_for 5 grep -q 'wb to wa' "$LAN_DIR/wire.log"
	tail -n 2 "$LAN_DIR/wire.log" | sed -n "s/.*$1 \\([0-9]*\\).*/\\1/p" | paste -sd + | bc
}

@test "a bottleneck of 40 Mbit/s is filled and not exceeded" {
	local mbits
	lan_wire --queue bdp "rate=40mbit delay=5ms"
	fetch_whole
	mbits=$(with_teecee curl -sS -o /dev/null -w '%{speed_download}' "$LAN_URL/4m" | awk '{ print $1 * 8 / 1e6 }')
	figure "4 MiB over 40 Mbit/s, 10 ms: $mbits Mbit/s"
	run awk -v x="$mbits" 'BEGIN { exit !(x > 20 && x < 40) }'
	assert_success
}

@test "a download is whole in spite of loss, reordering and duplicates" {
	lan_wire "delay=2ms loss=2% reorder=2% duplicate=2%"
	fetch_whole
	assert [ "$(wire_says lost)" -gt 0 ]
}

@test "a flipped bit never reaches the program" {
	lan_wire "corrupt=2%"
	fetch_whole
	assert [ "$(wire_says corrupted)" -gt 20 ]
}

@test "an upload is whole in spite of bursts of loss and flipped bits" {
	"$LAN_TOOLS/noise" 4194304 >"$LAN_DIR/up"
	lan_wire "delay=2ms gemodel=0.5%/30% corrupt=1%"
	run with_teecee curl -sS --max-time 60 -T "$LAN_DIR/up" "$LAN_URL:8000/up"
	assert_success
	assert_output "$(sha256 "$LAN_DIR/up")"
}
