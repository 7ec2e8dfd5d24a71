# What a program's own captures and traces show, and that they harm nobody.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 10m 10485760 >"$LAN_DIR/10m.sha"
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
	rm -f "$LAN_DIR"/own*
	CAPTURE=$LAN_DIR/own.pcapng
}

teecee() { in_client "$LAN_TEECEE" "$@"; }
run_teecee() { in_client timeout 60 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 "$@"; }

# The value of a counter of the running engine, as PART NAME.
counter() { teecee stat -a | awk -v p="$1" -v n="$2" '$1 == p && $2 == n { print $3 }'; }

captured() { frames "${1-frame}" | wc -l; }

nobody_speaks() { ! teecee ss | grep -qE 'ESTAB|FIN-WAIT|LAST-ACK|CLOS'; }

all_written() { [ "$(captured 'tcp.flags.fin == 1')" -ge "$1" ]; }

@test "a capture of a download: nothing malformed, every checksum right, the program named" {
	run run_teecee -p "$CAPTURE" -- wget -nv -O "$LAN_DIR/got" $LAN_URL/10m
	assert_success
	wait_for 5 all_written 2
	assert_no_frames "malformed" _ws.malformed
	assert_no_frames "checksum" "(tcp && tcp.checksum.status != 1) || (ip && ip.checksum.status != 1)"
	assert_no_frames "not named" 'tcp && !(frame.comment contains "wget[")'
	local sends="tcp.len > 0 && ip.src == $LAN_FAKE"
	[ "$(captured "$sends && frame.comment contains \"cwnd 14480\"")" -gt 0 ]
	assert_no_frames "a window of whom?" "frame.comment contains \"cwnd \" && !($sends)"
	[ "$(frames 'tcp.len > 0 && ip.dst == '$LAN_FAKE tcp.len | awk '{ n += $1 } END { print n }')" -gt 10485760 ]
}

sent() { [ "$(counter link TxFrames)" = "$1" ]; }

@test "capture, counters and the far side agree to the packet" {
	local mac far
	# An engine that has said what it says by itself: three probes, two announcements. Who remembers an earlier
	# one's address might ask for it in between.
	ip -n server neigh flush dev vb
	run run_teecee --link pcap -- /usr/bin/python3 -c 'import socket; socket.socket().bind(("0.0.0.0", 4000))'
	assert_success
	wait_for 10 sent 5
	capture_start far
	run run_teecee --link pcap -p "$LAN_DIR/own.pcapng" -- wget -nv -O "$LAN_DIR/got" $LAN_URL/10m
	assert_success
	wait_for 5 nobody_speaks
	capture_stop
	mac=$(fake_mac)
	far=$(captured "eth.src == $mac")
	[ "$far" -gt 10 ]
	assert_equal "$(counter link TxFrames)" $((far + 5))
	CAPTURE=$LAN_DIR/own.pcapng
	[ "$(captured "eth.src == $mac")" = "$far" ]
	[ "$(counter engine CaptureFrames)" = "$(captured)" ]
	figure "$far frames sent: by the counter, by the capture and by the far side"
}

@test "a filter, and one that is none" {
	run run_teecee -p "$CAPTURE" --pcap-filter 'tcp[tcpflags] & tcp-syn != 0' -- curl -sS -o /dev/null $LAN_URL/
	assert_success
	[ "$(captured)" = 2 ]
	run run_teecee -p "$CAPTURE" --pcap-filter 'tcp prt 80' -- curl -sS -o /dev/null $LAN_URL/
	assert_failure 125
	assert_one_clear_line 'TEECEE_PCAP_FILTER.*position 5, "prt 80".*as in'
	run with_teecee env TEECEE_PCAP="$CAPTURE" TEECEE_PCAP_FILTER='tcp prt 80' curl -sS -o /dev/null $LAN_URL/
	assert_failure 7
	assert_one_clear_line 'TEECEE_PCAP_FILTER.*position 5, "prt 80".*as in'
}

@test "rotation keeps the newest packets in so many files" {
	run run_teecee -p "$CAPTURE" --pcap-rotate 1MiB,3 -- curl -sS -o /dev/null $LAN_URL/10m
	assert_success
	local f
	for f in "$CAPTURE" "$CAPTURE.1" "$CAPTURE.2"; do
		[ "$(stat -c %s "$f")" -le $((1048576 + 400000)) ]
		tshark -r "$f" >/dev/null
	done
	[ ! -e "$CAPTURE.3" ]
}

@test "programs one after the other, and children, write one capture" {
	run run_teecee -p "$CAPTURE" -- sh -c "curl -sS -o /dev/null $LAN_URL/ && wget -q -O /dev/null $LAN_URL/"
	assert_success
	wait_for 5 all_written 4
	[ "$(captured 'tcp.flags.syn == 1 && tcp.flags.ack == 0')" = 2 ]
	[ "$(captured 'frame.comment contains "curl["')" -gt 5 ]
	[ "$(captured 'frame.comment contains "wget["')" -gt 5 ]
}

@test "a file that cannot be opened: one warning, and the program goes on" {
	run run_teecee -p "$LAN_DIR/no/such/dir.pcapng" -- curl -sS -o /dev/null $LAN_URL/
	assert_success
	assert_one_clear_line "no/such/dir.pcapng"
}

@test "a full disk: one warning, a counter, a whole file, and the program goes on" {
	mkdir -p "$LAN_DIR/full"
	mount -t tmpfs -o size=256k tmpfs "$LAN_DIR/full"
	CAPTURE=$LAN_DIR/full/own.pcapng
	run run_teecee -p "$CAPTURE" -- curl -sS -o "$LAN_DIR/got" $LAN_URL/10m
	assert_success
	assert_one_clear_line 'No space left on device'
	[ "$(sha256 "$LAN_DIR/got")" = "$(cat "$LAN_DIR/10m.sha")" ]
	[ "$(counter engine CaptureLost)" -gt 100 ]
	run tshark -r "$CAPTURE"
	assert_success
	kill_engines
	umount "$LAN_DIR/full"
}

@test "what is no capture is not overwritten" {
	echo "my thesis" >"$CAPTURE"
	run run_teecee -p "$CAPTURE" -- curl -sS -o /dev/null $LAN_URL/
	assert_failure 125
	assert_one_clear_line 'own.pcapng'
	[ "$(cat "$CAPTURE")" = "my thesis" ]
}

@test "the engine killed in the middle of a download leaves a whole capture" {
	spawn victim run_teecee -p "$CAPTURE" --impair 'in rate=20mbit' -- curl -sS -o /dev/null $LAN_URL/10m
	big() { [ "$(stat -c %s "$CAPTURE" 2>/dev/null || echo 0)" -gt 500000 ]; }
	wait_for 10 big
	kill_engines
	finish 10 victim
	[ "$status" -ne 0 ]
	run tshark -r "$CAPTURE"
	assert_success
	refute_output --partial 'cut short'
}

@test "a trace on stderr: aligned, relative, and it ends with the program" {
	local out
	out=$(with_teecee env TEECEE_TRACE=- curl -sS -o /dev/null $LAN_URL/ 2>&1)
	run echo "$out"
	assert_line --regexp '^ +[0-9.]+ curl\[[0-9]+\] +10\.77\.0\.129:[0-9]+ > 10\.77\.0\.2:80 +S +0:1 .* mss 1460'
	assert_line --regexp ' < 10\.77\.0\.2:80 +S\. +0:1 +ack 1 '
	assert_line --regexp ' > 10\.77\.0\.2:80 +P\. +1:[0-9]+ +ack 1 .* cwnd [0-9]+'
}

@test "a trace tells each change of state, in its place" {
	run run_teecee --trace "$LAN_DIR/own.trace" -- curl -sS -o /dev/null $LAN_URL/
	assert_success
	closed() { grep -q 'TIME-WAIT$' "$LAN_DIR/own.trace"; }
	wait_for 5 closed
	run awk '$4 == "=" { $1 = $2 = $3 = $4 = $5 = ""; print } $4 != "=" && $6 ~ /^(S|S\.|F\.)$/ { print $4, $6 }' \
		"$LAN_DIR/own.trace"
	# Who closes is curl, unless nginx is asked to; ACKs and data are left out.
	assert_output --regexp '^ +CLOSED -> SYN-SENT
> S
< S\.
 +SYN-SENT -> ESTABLISHED
 +ESTABLISHED -> FIN-WAIT-1
> F\.
(< F\.
 +FIN-WAIT-1 -> FIN-WAIT-2| +FIN-WAIT-1 -> FIN-WAIT-2
< F\.)
 +FIN-WAIT-2 -> TIME-WAIT$'
	grep -qE ' curl\[[0-9]+\] +10\.77\.0\.129:[0-9]+ = 10\.77\.0\.2:80 +SYN-SENT -> ESTABLISHED$' \
		"$LAN_DIR/own.trace"
	run run_teecee --trace "$LAN_DIR/own.trace" -- curl -sS -o /dev/null $LAN_URL:81/
	assert_failure 7
	grep -q 'SYN-SENT -> CLOSED  Connection refused$' "$LAN_DIR/own.trace"
}

@test "datagrams say whose they are, both ways; lookups are the engine's" {
	spawn echo in_server /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.2", 5300))
while True:
    data, who = s.recvfrom(2000)
    s.sendto(data, who)
'
	bound() { [ -n "$(in_server ss -Hlun 'sport = :5300')" ]; }
	wait_for 5 bound
	# The first one leaves when ARP is answered, and its socket is closed by then.
	run run_teecee -p "$CAPTURE" --trace "$LAN_DIR/own.trace" -- /usr/bin/python3 -c '
import socket
first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
first.sendto(b"one", ("10.77.0.2", 5300))
first.close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in (b"two", b"three"):
    s.sendto(n, ("10.77.0.2", 5300))
    print(s.recv(10).decode())'
	assert_output $'two\nthree'
	[ "$(captured "udp && !icmp && ip.src == $LAN_FAKE")" = 3 ]
	assert_no_frames "not named" 'udp && !icmp && !(frame.comment contains "python3[")'
	grep -qE ' python3\[[0-9]+\] +10\.77\.0\.129:[0-9]+ < 10\.77\.0\.2:5300 +UDP  len 5$' "$LAN_DIR/own.trace"
	kill "$(cat "$LAN_DIR/echo.pid")"
	CAPTURE=$LAN_DIR/own2.pcapng
	run run_teecee -p "$CAPTURE" --dns $LAN_SERVER -- /usr/bin/python3 -c '
import socket
try:
    socket.getaddrinfo("nowhere.test", 80)
except socket.gaierror:
    print("no name")'
	assert_output 'no name'
	[ "$(captured 'dns && frame.comment contains "teecee-engine["')" -ge 1 ]
}

@test "a trace in a file tells retransmissions and what was lost" {
	run run_teecee --trace "$LAN_DIR/own.trace" --impair 'syn-drop=1' -- curl -sS -o /dev/null $LAN_URL/
	assert_success
	run cat "$LAN_DIR/own.trace"
	assert_line --partial '[lost: syn-drop]'
	assert_line --partial 'again: retransmission timeout'
}

@test "ss shows the connection, its process and its numbers; stat counts it" {
	spawn slow run_teecee --impair 'in rate=2mbit' -- curl -sS -o /dev/null $LAN_URL/10m
	shown() { teecee ss | grep -q ESTAB; }
	wait_for 10 shown
	run teecee ss -i
	assert_line --regexp '^tcp +ESTAB +0 +0 +10\.77\.0\.129:[0-9]+ +10\.77\.0\.2:80 '
	assert_line --regexp 'users:\(\("curl",pid=[0-9]+\)\)$'
	assert_line --regexp 'cubic wscale:[0-9]+,[0-9]+ rto:[0-9.]+ rtt:[0-9.]+/[0-9.]+ .*mss:1448'
	run teecee ss -s
	assert_line --regexp '^TCP: +1 \(estab 1'
	run bash -c "ip netns exec client '$LAN_TEECEE' ss --json | python3 -c '
import json, sys
[s] = json.load(sys.stdin)
print(s[\"state\"], s[\"process\"])'"
	assert_output 'ESTAB curl'
	run bash -c "ip netns exec client '$LAN_TEECEE' stat --json | python3 -c '
import json, sys
[e] = json.load(sys.stdin)
print(e[\"stack\"][\"TcpActiveOpens\"])'"
	assert_output 1
	[ "$(counter stack TcpActiveOpens)" = 1 ]
	kill_engines
	finish 10 slow
	run teecee stat
	assert_failure 1
	assert_one_clear_line 'no engine'
}
