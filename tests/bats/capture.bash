# Captures on the far side of the LAN, and what they must show. Only frames that left from our address are
# judged: the other kernel's carry unfinished checksums on a veth, and super-segments. Ours are made to look as
# on a real cable: the offloads of our end are off while a capture runs, so that its kernel cuts and completes
# what the packet link hands it.
# shellcheck shell=bash disable=SC2154

# capture_start NAME [SNAPLEN]: into $LAN_DIR/NAME.pcap, running before this returns.
capture_start()
{
	CAPTURE=$LAN_DIR/$1.pcap
	in_client ethtool -K va tx off tso off gso off >/dev/null
	spawn "capture-$1" in_server "$LAN_TOOLS/capture" vb "$CAPTURE" "${2:-262144}"
	CAPTURE_PID=$!
	CAPTURE_LOG=$LAN_DIR/capture-$1.log
	wait_for 10 grep -q listening "$CAPTURE_LOG" || { cat "$CAPTURE_LOG" >&2 && return 1; }
}

capture_holds() { tail -c 65536 "$CAPTURE" | grep -aq -- "$1"; }

# Everything sent so far is in the file when this returns: a last datagram is waited for. 0 frames lost.
capture_stop()
{
	local mark="end of capture $RANDOM"
	in_client bash -c "printf '%s' '$mark' >/dev/udp/$LAN_SERVER/9"
	wait_for 10 capture_holds "$mark"
	kill -INT "$CAPTURE_PID"
	in_client ethtool -K va tx on tso on gso on >/dev/null
	wait_for 10 grep -q 'dropped' "$CAPTURE_LOG"
	grep -q ' 0 dropped' "$CAPTURE_LOG" || { cat "$CAPTURE_LOG" >&2 && return 1; }
}

# count_frames FILTER: how many frames of the capture a pcap-filter(7) matches.
count_frames() { "$LAN_TOOLS/capture" -c "$CAPTURE" "$1"; }

# wireshark_says FILTER [OPTION…]: a filter that it does not understand is an answer, too, so that no assertion
# passes for want of one.
wireshark_says()
{
	tshark -r "$CAPTURE" -n -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE \
		-o ip.check_checksum:TRUE -Y "$@" 2>/dev/null ||
		echo "tshark failed for: $1"
}

# frames FILTER [FIELD…]: the frames of the capture that a Wireshark filter matches, one line each.
frames()
{
	local filter=$1 fields=() f
	shift
	for f in "${@:-frame.number}"; do
		fields+=(-e "$f")
	done
	wireshark_says "$filter" -T fields "${fields[@]}"
}

assert_no_frames()
{
	local why=$1 out
	out=$(wireshark_says "$2" | head -n 20)
	[ -z "$out" ] && return 0
	printf '%s (%s):\n%s\n' "$why" "$2" "$out" >&2
	return 1
}

# The spoofed MAC, as the server's kernel learnt it.
fake_mac() { ip -n server neigh show "${1:-$LAN_FAKE}" dev vb | awk '{ print $3 }'; }
kernel_mac() { ip netns exec client cat /sys/class/net/va/address; }

# What we sent is flawless: nothing twice, nothing missing, every header whole, every checksum right.
assert_clean_capture()
{
	local ours="ip.src == ${1:-$LAN_FAKE}"
	if [ -z "$(frames "$ours && tcp.checksum.status == 1" | head -n 1)" ]; then
		echo "no frame of ours" >&2
		return 1
	fi
	assert_no_frames "sent twice" "$ours && (tcp.analysis.retransmission || tcp.analysis.fast_retransmission || \
tcp.analysis.spurious_retransmission || tcp.analysis.out_of_order)"
	assert_no_frames "missing" "$ours && (tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment)"
	assert_no_frames "malformed" "$ours && (_ws.malformed || tcp.hdr_len < 20 || ip.hdr_len < 20)"
	assert_no_frames "checksum" "$ours && ((tcp && tcp.checksum.status != 1) || ip.checksum.status != 1)"
}

# The host's kernel said nothing for our address or about it: every frame from the address carries our MAC, and
# the kernel's own MAC sent no TCP and no ICMP.
assert_kernel_silent()
{
	local fake=${1:-$LAN_FAKE} mac
	mac=$(fake_mac "$fake")
	[ "$mac" != "$(kernel_mac)" ] || { echo "the spoofed MAC is the kernel's" >&2 && return 1; }
	assert_no_frames "from our address with another MAC" "ip.src == $fake && eth.src != $mac"
	assert_no_frames "ARP for our address with another MAC" "arp.src.proto_ipv4 == $fake && eth.src != $mac"
	assert_no_frames "from our MAC with another address" "ip && eth.src == $mac && ip.src != $fake"
	assert_no_frames "sent by the kernel" "eth.src == $(kernel_mac) && (tcp || icmp)"
}
