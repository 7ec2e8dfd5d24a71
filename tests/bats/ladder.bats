# Captures drawn: our own, tcpdump's and tshark's, and what tshark says about the same packets.
bats_require_minimum_version 1.5.0

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 1m 1048576 >/dev/null
	capture_start far
	in_client timeout 60 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 -p "$LAN_DIR/own.pcapng" --seed 7 \
		--impair 'delay=5ms loss=2%' -- wget -nv -O /dev/null $LAN_URL/1m
	capture_stop
	in_client "$LAN_TEECEE" stat -a | awk '$1 == "impair" && $2 == "Lost" { print $3 }' >"$LAN_DIR/lost"
	kill_engines
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

ladder() { "$LAN_TEECEE" ladder --ascii "$@"; }

# The fields of tshark for the TCP packets of $CAPTURE, in the words of the ladder: time, flags, length.
tshark_says()
{
	tshark -r "$CAPTURE" -o tcp.relative_sequence_numbers:TRUE -Y tcp -T fields -e frame.time_relative \
		-e tcp.seq -e tcp.len -e tcp.ack -e tcp.window_size 2>/dev/null |
		awk '{ printf "%.6f %s %s %s %s\n", $1, $2, $3, $4, $5 }'
}

ladder_says()
{
	ladder "$1" | awk '/^[0-9]+ +[0-9.]+ \|/ {
		at = $2; len = 0; ack = 0
		split($0, part, "|")
		if (match(part[2], / [0-9]+ /)) len = substr(part[2], RSTART + 1, RLENGTH - 2)
		n = split(part[3], word, " ")
		split(word[1], pair, ":")
		for (i = 2; i < n; i++) {
			if (word[i] == "ack") ack = word[i + 1]
			if (word[i] == "win") win = word[i + 1]
		}
		printf "%s %s %s %s %s\n", at, pair[1], len, ack, win }'
}

assert_agrees_with_tshark()
{
	CAPTURE=$1
	tshark_says >"$BATS_TEST_TMPDIR/tshark"
	ladder_says "$1" >"$BATS_TEST_TMPDIR/ladder"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ladder")" -gt 50 ]
	diff "$BATS_TEST_TMPDIR/tshark" "$BATS_TEST_TMPDIR/ladder" | head
}

@test "our own capture: every time, number, length and window as tshark reads them" {
	run assert_agrees_with_tshark "$LAN_DIR/own.pcapng"
	assert_success
	assert_output ""
}

@test "a pcap file, and pcapng by tshark, as tshark reads them" {
	run assert_agrees_with_tshark "$LAN_DIR/far.pcap"
	assert_success
	assert_output ""
	tshark -r "$LAN_DIR/far.pcap" -F pcapng -w "$BATS_TEST_TMPDIR/far.pcapng" 2>/dev/null
	run assert_agrees_with_tshark "$BATS_TEST_TMPDIR/far.pcapng"
	assert_success
	assert_output ""
}

@test "the program is named, and as many segments are lost as impairment counted" {
	run ladder "$LAN_DIR/own.pcapng"
	assert_success
	assert_line --regexp "^#1 $LAN_FAKE:[0-9]+ -> $LAN_SERVER:80  wget\[[0-9]+\]$"
	# Of a super-segment the comment has their number, else it is one.
	lost=$(sed -nE 's/.*[[ ]lost ([0-9]+) of .*/\1/p; t; s/.*[[ ]lost \(rule 1\).*/1/p' <<<"$output" |
		awk '{ n += $1 } END { print n }')
	[ "$lost" -gt 0 ]
	assert_equal "$lost" "$(cat "$LAN_DIR/lost")"
}

@test "a filter, one connection, a pipe, a file" {
	run ladder "$LAN_DIR/own.pcapng" -n 1 'tcp[tcpflags]' '&' 'tcp-syn != 0'
	assert_success
	assert_equal "$(grep -c SYN <<<"$output")" 2
	assert_line --regexp '^2 segments drawn'
	run bash -c '"$0" ladder --ascii - <"$1"' "$LAN_TEECEE" "$LAN_DIR/own.pcapng"
	assert_success
	assert_equal "$output" "$(ladder "$LAN_DIR/own.pcapng")"
	run ladder "$LAN_DIR/own.pcapng" -o "$BATS_TEST_TMPDIR/out"
	assert_success
	assert_output ""
	assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "$(ladder "$LAN_DIR/own.pcapng")"
	assert_equal "$(ls "$BATS_TEST_TMPDIR")" out
}

@test "a picture: well-formed, a row per segment, and only so many" {
	"$LAN_TEECEE" ladder "$LAN_DIR/own.pcapng" --svg -o "$BATS_TEST_TMPDIR/out.svg"
	run /usr/bin/python3 - "$BATS_TEST_TMPDIR/out.svg" <<-'CHECK'
		import sys, xml.etree.ElementTree as tree
		svg = "{http://www.w3.org/2000/svg}"
		print(len(tree.parse(sys.argv[1]).getroot().findall(svg + "g")))
	CHECK
	assert_success
	assert_output "$(ladder "$LAN_DIR/own.pcapng" | sed -n 's/ segments drawn.*//p')"
}

@test "what cannot be drawn is refused in one line, and what was there stays" {
	local out=$BATS_TEST_TMPDIR/out
	echo "my thesis" >"$out"
	run ladder "$out" -o "$out"
	assert_failure 125
	assert_output --regexp '^teecee: ladder: .*/out is no capture file'
	run ladder "$LAN_DIR/own.pcapng" -n 7 -o "$out"
	assert_failure 125
	assert_output --partial 'has 1 connection, and no number 7'
	run ladder "$LAN_DIR/own.pcapng" -o "$out" 'tcp prt 80'
	assert_failure 125
	assert_output --partial 'filter "tcp prt 80"'
	run ladder "$LAN_DIR/nothing"
	assert_failure 125
	assert_output --partial 'No such file'
	run ladder "$LAN_DIR/own.pcapng" --packets 0
	assert_failure 125
	assert_output --partial 'not with this value'
	assert_equal "$(cat "$out")" "my thesis"
	assert_equal "$(ls "$BATS_TEST_TMPDIR")" out
}

@test "a capture that is cut off is drawn as far as it goes" {
	head -c 100000 "$LAN_DIR/own.pcapng" >"$BATS_TEST_TMPDIR/cut"
	run --separate-stderr ladder "$BATS_TEST_TMPDIR/cut"
	assert_failure 1
	assert_line --regexp 'segments drawn'
	[[ $stderr =~ ^"teecee: ladder: ".*"ends being readable after packet" ]]
}
