# The page of a report in headless Chromium: of a download of 1 GiB that loses segments, and of many connections.
# No network but the test's own is there, so a page that loaded something would fail.
bats_require_minimum_version 1.5.0

setup_file()
{
	load ../bats/common
	lan_up
	nginx_up
	head -c 1073741824 /dev/zero >"$LAN_DIR/www/1g"
	docroot_file 1m 1048576 >/dev/null
	# Frames of one segment each, as a wire has them: 740,000 and their acknowledgements.
	in_server ethtool -K vb tso off gso off >/dev/null
	captured big 'delay=2ms loss=0.1%' curl -sS -o /dev/null "$LAN_URL/1g"
	in_server ethtool -K vb tso on gso on >/dev/null
	captured many 'delay=5ms loss=2%' sh -c \
		"for i in 1 2 3 4; do curl -sS -o /dev/null $LAN_URL/1m; wget -q -O /dev/null $LAN_URL/; done"
}

teardown_file()
{
	load ../bats/common
	lan_down
}

setup() { load ../bats/common; }

# captured NAME RULES COMMAND…: its report, and what impairment counted.
captured()
{
	local name=$1 rules=$2
	shift 2
	kill_engines
	in_client timeout 300 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 -p "$LAN_DIR/$name.pcapng" --seed 7 \
		--impair "$rules" -- "$@"
	in_client "$LAN_TEECEE" stat -a | awk '$1 == "impair" && $2 == "Lost" { print $3 }' >"$LAN_DIR/$name.lost"
	kill_engines
	"$LAN_TEECEE" report "$LAN_DIR/$name.pcapng" -o "$LAN_DIR/$name.html"
}

# browser CHECK NAME [ARGUMENT…]
browser() { timeout 100 /usr/bin/python3 "$LAN_TOP/tests/report/browser.py" "$1" "$LAN_DIR/$2.html" "${@:3}"; }

@test "a download of 1 GiB opens in less than 3 seconds" {
	[ "$(stat -c %s "$LAN_DIR/big.pcapng")" -gt 1100000000 ]
	run browser fast big 3
	assert_success
	echo "$output" >&3
}

@test "it shows every loss that impairment counted, at any scale" {
	[ "$(cat "$LAN_DIR/big.lost")" -gt 500 ]
	browser losses big "$(cat "$LAN_DIR/big.lost")"
	browser losses many "$(cat "$LAN_DIR/many.lost")"
}

@test "its parts are there and drawn, nothing is loaded, nothing complained of" {
	browser elements big
	browser elements many
}

@test "dragging, buttons and keys zoom and move" {
	browser zoom big
	browser zoom many
}

@test "what is under the pointer is told" {
	browser hover big
	browser hover many
}

@test "the table sorts, filters and chooses" {
	browser table many
}
