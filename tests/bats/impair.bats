# Broken networks, as real programs see them.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 10m 10485760 >"$LAN_DIR/10m.sha"
	spawn sink in_server /usr/bin/python3 -c '
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("10.77.0.2", 9000))
s.listen(5)
while True:
    c, _ = s.accept()
    n = 0
    try:
        while d := c.recv(65536):
            n += len(d)
        print("whole", n, flush=True)
    except OSError as e:
        print(e.strerror, n, flush=True)
    c.close()
'
	wait_for 10 listening server 9000
	head -c 4194304 /dev/zero >"$LAN_DIR/4m"
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
	: >"$LAN_DIR/sink.log"
}

teecee() { in_client "$LAN_TEECEE" "$@"; }

# impaired RULES COMMAND…
impaired()
{
	local rules=$1
	shift
	run in_client timeout 60 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --impair "$rules" -- "$@"
}

get() { impaired "$1" curl -sS -o "$LAN_DIR/got" -w '%{size_download} %{time_total}\n' "${@:3}" "$LAN_URL/$2"; }

# put RULES: 4 MiB to the server by nc.
put() { impaired "$1" bash -c "nc -N $LAN_SERVER 9000 <$LAN_DIR/4m"; }

sink_said() { grep -q "$1" "$LAN_DIR/sink.log"; }

took() { awk -v t="$(awk 'END { print $2 }' <<<"$output")" -v a="$1" -v b="$2" 'BEGIN { exit !(t >= a && t <= b) }'; }

@test "loss, delay, duplicates, disorder and damage: the file arrives whole" {
	get 'delay=5ms jitter=1ms loss=2% duplicate=1% reorder=5% corrupt=0.5%' 10m
	assert_success
	[ "$(sha256 "$LAN_DIR/got")" = "$(cat "$LAN_DIR/10m.sha")" ]
	run teecee stat -a
	assert_line --regexp '^impair +Lost +[1-9]'
	assert_line --regexp '^impair +Corrupted +[1-9]'
	assert_line --regexp '^stack +TcpInCsumErrors +[1-9]'
}

@test "a delay is added to the round trip" {
	get 'delay=100ms' index.html
	assert_success
	took 0.59 1.1 # ARP, handshake, request: 200 ms each; the start of the engine
}

@test "a rate bounds a download" {
	get 'in rate=40mbit' 10m
	assert_success
	took 2.05 3.5 # 10 MiB at 5 MB/s and the headers
}

@test "reset after 64 KiB: exactly so much arrives, then ECONNRESET" {
	impaired 'reset@64KiB' curl -sS -i -o "$LAN_DIR/got" $LAN_URL/10m
	assert_failure 56
	assert_output --partial 'Connection reset by peer'
	[ "$(stat -c %s "$LAN_DIR/got")" = 65536 ]
	impaired 'reset@64KiB' wget --tries=1 -O "$LAN_DIR/got" $LAN_URL/10m
	assert_failure 4
	assert_output --partial 'Connection reset by peer'
}

@test "reset after a time, and at once" {
	get 'in rate=10mbit; reset@1s' 10m
	assert_failure 56
	assert_output --partial 'Connection reset by peer'
	took 0.99 2
	impaired 'reset@0s' wget --tries=1 -O /dev/null $LAN_URL/
	assert_failure 4
	assert_output --partial 'Connection refused'
}

@test "reset of an upload: the server is told, too" {
	put 'out reset@1MiB'
	wait_for 5 sink_said 'Connection reset by peer'
	run cat "$LAN_DIR/sink.log"
	[ "${output##* }" = 1048576 ]
}

@test "a blackhole that ends is a pause, one that does not a timeout" {
	get 'blackhole@64KiB+1s' 10m
	assert_success
	took 1.0 4
	impaired 'blackhole@0s' curl -sS --connect-timeout 1 -o /dev/null $LAN_URL/
	assert_failure 28
	impaired 'blackhole@64KiB' wget --tries=1 --read-timeout=1 -O /dev/null $LAN_URL/10m
	assert_failure 4
	assert_output --partial 'timed out'
}

@test "lost SYNs are sent again after 1 s and 2 s more" {
	get 'syn-drop=2' index.html
	assert_success
	took 2.9 4.5
}

@test "a closed window holds an upload up" {
	local before=${EPOCHREALTIME/./}
	put 'window-zero@1MiB+1s'
	assert_success
	[ $((${EPOCHREALTIME/./} - before)) -gt 1000000 ]
	wait_for 5 sink_said 'whole 4194304'
}

@test "a small path MTU is found" {
	capture_start mtu
	put 'mtu=576'
	assert_success
	wait_for 5 sink_said 'whole 4194304'
	capture_stop
	assert_no_frames "too big" "ip.src == $LAN_FAKE && ip.len > 576"
}

@test "ICMP unreachable is the errno that the kernel gives" {
	impaired 'icmp-unreachable=host' wget --tries=1 -O /dev/null $LAN_URL/
	assert_failure 4
	assert_output --partial 'No route to host'
	impaired 'icmp-unreachable=net' wget --tries=1 -O /dev/null $LAN_URL/
	assert_output --partial 'Network is unreachable'
	impaired 'icmp-unreachable=port' wget --tries=1 -O /dev/null $LAN_URL/
	assert_output --partial 'Connection refused'
	impaired 'icmp-unreachable=host' curl -sS -o /dev/null $LAN_URL/
	assert_failure 7
}

@test "a slow reader gets what its rate earns" {
	impaired 'slow-read=200KiB/s' curl -sS --max-time 3 -o "$LAN_DIR/got" $LAN_URL/10m
	assert_failure 28
	local got
	got=$(stat -c %s "$LAN_DIR/got")
	[ "$got" -gt 450000 ]
	[ "$got" -lt 700000 ]
}

@test "a late SYN-ACK makes a slow connect" {
	get 'accept-delay=500ms' index.html
	assert_success
	took 0.5 1.4
}

@test "UDP: datagrams cut short, and a service gone silent" {
	spawn echo in_server /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.2", 5300))
while True:
    data, who = s.recvfrom(2000)
    s.sendto(data * 100, who)
'
	bound() { [ -n "$(in_server ss -Hlun 'sport = :5300')" ]; }
	wait_for 5 bound
	local ask='
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(1)
s.connect(("10.77.0.2", 5300))
s.send(b"0123456789")
try:
    print(len(s.recv(2000)))
except TimeoutError:
    print("silence")
'
	impaired 'truncate-udp=100' /usr/bin/python3 -c "$ask"
	assert_output 100
	impaired "match='udp port 5300' loss=100%" /usr/bin/python3 -c "$ask"
	assert_output silence
	impaired "match='udp port 53' loss=100%" /usr/bin/python3 -c "$ask"
	assert_output 1000
}

@test "only what matches is hit" {
	impaired "match='tcp port 9000' reset@0s" curl -sS -o "$LAN_DIR/got" $LAN_URL/10m
	assert_success
	impaired "match='tcp port 80' reset@0s" curl -sS -o "$LAN_DIR/got" $LAN_URL/10m
	assert_failure 7
}

@test "the same seed loses the same segments on the wire" {
	local i lost=()
	for i in 1 2; do
		kill_engines
		in_client timeout 60 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --seed 4 --impair 'out loss=40%' \
			-p "$LAN_DIR/seed$i.pcapng" -- curl -sS -o /dev/null $LAN_URL/index.html
		CAPTURE=$LAN_DIR/seed$i.pcapng
		# Which of our first four were lost: so many both runs have. Bare ACKs are sent or saved as time has it.
		lost+=("$(frames "tcp && ip.src == $LAN_FAKE && (tcp.len > 0 || tcp.flags & 3)" frame.comment |
			head -n 4 | grep -n 'lost' | cut -d : -f 1 | tr '\n' ' ')")
	done
	[ -n "${lost[0]}" ]
	[ "${lost[0]}" = "${lost[1]}" ]
}

@test "malformed rules: refused before the program starts, with position and example" {
	impaired 'out delay=20ms los=2%' touch "$LAN_DIR/ran"
	assert_failure 125
	assert_one_clear_line 'TEECEE_IMPAIR.*position 16, "los=2%".*out delay=20ms loss=2%'
	impaired "match='tcp prt 80' loss=2%" touch "$LAN_DIR/ran"
	assert_failure 125
	assert_one_clear_line 'TEECEE_IMPAIR.*position 8.*position 5, "prt 80".*as in'
	[ ! -e "$LAN_DIR/ran" ]
	run with_teecee env TEECEE_IMPAIR='loss=2' wget -nv --tries=1 -O /dev/null $LAN_URL/
	assert_failure 4
	assert_one_clear_line 'TEECEE_IMPAIR.*position 6'
}

@test "rules of a running engine: set, shown, cleared" {
	teecee_impair() { run teecee impair -i va --ip $LAN_FAKE/24 "$@"; }
	teecee_impair show
	assert_failure 1
	assert_one_clear_line 'no engine'
	spawn slow in_client "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 -- \
		curl -sS --limit-rate 2M -o "$LAN_DIR/got" $LAN_URL/10m
	up() { teecee ss | grep -q ESTAB; }
	wait_for 10 up
	teecee_impair --seed 5 loss=100%
	assert_success
	teecee_impair show
	assert_output 'seed 5: loss=100%'
	teecee_impair 'loss=100'
	assert_failure 125
	assert_one_clear_line 'position 6'
	teecee_impair clear
	assert_success
	teecee_impair show
	assert_output none
	finish 30 slow
	[ "$status" = 0 ]
}

@test "a second program with other rules is told so" {
	spawn slow in_client "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --impair 'in rate=2mbit' -- \
		curl -sS -o /dev/null $LAN_URL/10m
	up() { teecee ss | grep -q ESTAB; }
	wait_for 10 up
	get 'loss=1%' index.html
	assert_failure 7
	assert_one_clear_line 'TEECEE_IMPAIR.*in rate=2mbit'
	kill_engines
	finish 10 slow
}
