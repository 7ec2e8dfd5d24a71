# The page of a report, without a browser: what is in it, and that it agrees with what was counted.
bats_require_minimum_version 1.5.0

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 10m 10485760 >/dev/null
	capture_start far
	in_client timeout 60 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 -p "$LAN_DIR/own.pcapng" --seed 7 \
		--impair 'delay=5ms loss=1%' -- curl -sS -o /dev/null $LAN_URL/10m
	capture_stop
	in_client "$LAN_TEECEE" stat -a | awk '$1 == "impair" && $2 == "Lost" { print $3 }' >"$LAN_DIR/lost"
	kill_engines
	"$LAN_TEECEE" report "$LAN_DIR/own.pcapng" -o "$LAN_DIR/own.html"
	"$LAN_TEECEE" report "$LAN_DIR/far.pcap" >"$LAN_DIR/far.html"
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

says() { /usr/bin/python3 "$LAN_TOP/tests/tools/report_data.py" "$@"; }

@test "a page has its parts, and loads nothing" {
	run says "$LAN_DIR/own.html"
	assert_success
	local id
	for id in summary connections connection charts ladder tip range zoom-in zoom-out zoom-reset; do
		assert_line --regexp "^ids .*\\b$id\\b"
	done
	assert_line "loads"
	assert_line "partial "
	assert_line "connections 1"
	assert_line --regexp '^process curl\[[0-9]+\]$'
	assert_equal "$(grep -c 'https\?://' "$LAN_DIR/own.html")" 0
}

@test "it shows as many losses as impairment counted, and every byte" {
	local lost
	lost=$(cat "$LAN_DIR/lost")
	[ "$lost" -gt 20 ]
	run says "$LAN_DIR/own.html"
	assert_line "lost $lost"
	assert_line "lost-marks $lost"
	local fresh
	fresh=$(sed -n 's/^fresh 1 //p' <<<"$output")
	[ "$fresh" -gt 10485760 ]
	# SYN and FIN count in sequence numbers; the ACK of the FIN may come when the capture has ended.
	assert_line "sent 1 $((fresh + 2))"
	assert_line --regexp "^acked 0 ($((fresh + 1))|$((fresh + 2)))$"
}

@test "retransmissions are those that tshark sees" {
	local seen again
	# The far side captured what it sent: what tshark takes for out of order was sent again, too.
	again="tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission"
	again="$again || tcp.analysis.out_of_order"
	seen=$(tshark -r "$LAN_DIR/far.pcap" -Y "ip.src == $LAN_SERVER && ($again)" 2>/dev/null | wc -l)
	[ "$seen" -gt 10 ]
	run says "$LAN_DIR/far.html"
	assert_line "again 1 $seen"
}

@test "what cannot be read is refused, what is cut off is shown so far" {
	echo "my thesis" >"$BATS_TEST_TMPDIR/thesis"
	run "$LAN_TEECEE" report "$BATS_TEST_TMPDIR/thesis" -o "$BATS_TEST_TMPDIR/out"
	assert_failure 125
	assert_output --regexp '^teecee: report: .* is no capture file'
	[ ! -e "$BATS_TEST_TMPDIR/out" ]
	head -c 500000 "$LAN_DIR/own.pcapng" >"$BATS_TEST_TMPDIR/cut"
	run "$LAN_TEECEE" report "$BATS_TEST_TMPDIR/cut" -o "$BATS_TEST_TMPDIR/out"
	assert_failure 1
	assert_output --partial 'ends being readable after packet'
	run says "$BATS_TEST_TMPDIR/out"
	assert_line --regexp '^partial .*ends being readable after packet'
	run "$LAN_TEECEE" report "$LAN_DIR/own.pcapng" "$LAN_DIR/far.pcap" -o "$BATS_TEST_TMPDIR/two"
	assert_failure 125
	assert_output --partial 'one capture only'
}
