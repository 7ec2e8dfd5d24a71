# What impairment says it does, measured on the wire by the far side's kernel; and what a capture costs. (The same in
# virtual time, for every word: tests/unit/test_impair.c.)

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 128m 134217728 >"$LAN_DIR/128m.sha"
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

teecee() { in_client "$LAN_TEECEE" "$@"; }
counter() { teecee stat -a | awk -v p="$1" -v n="$2" '$1 == p && $2 == n { print $3 }'; }
impaired() { in_client timeout 100 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --seed 5 --impair "$@"; }
# Frames that the far side's interface has received.
arrived() { in_server cat /sys/class/net/vb/statistics/rx_packets; }
bound() { [ -n "$(in_server ss -Hlun "sport = :$1")" ]; }

# end_of NAME: ends what spawn started, and waits until its port is free.
end_of()
{
	kill "$(cat "$LAN_DIR/$1.pid")"
	wait_for 5 gone "$(cat "$LAN_DIR/$1.pid")"
}

# within VALUE EXPECTED DISTANCE
within() { awk -v x="$1" -v e="$2" -v d="$3" 'BEGIN { exit !(x >= e - d && x <= e + d) }'; }

all_sent() { [ "$(counter impair Seen)" -ge "$1" ]; }
all_arrived() { [ "$(($(arrived) - $1))" -ge "$(counter link TxFrames)" ]; }

# Learns the neighbour's address by a port where nobody is, for only a few datagrams may wait for it.
ask_neighbour='
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.77.0.2", 9))
s.send(b"who")
try:
    s.recv(1)
except ConnectionRefusedError:
    pass
s.connect(("10.77.0.2", 5000))'

# share SPEC COUNTER PERCENT SIGN: of 100,000 datagrams so many are counted, within four standard deviations of the
# binomial; and the far side receives exactly what the counters say.
share()
{
	local before n=100000 hit
	# A service that takes them, or its ICMP errors would end the sender's loop.
	spawn sink in_server /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.2", 5000))
while True:
    s.recv(100)'
	wait_for 5 bound 5000
	before=$(arrived)
	impaired "match='udp port 5000' $1" -- /usr/bin/python3 -c "
$ask_neighbour
for i in range($n):
    s.send(bytes(20))"
	wait_for 20 all_sent $n
	wait_for 5 all_arrived "$before" || fail "$(($(arrived) - before)) arrived, $(counter link TxFrames) sent"
	end_of sink
	hit=$(counter impair "$2")
	figure "$1: $hit of $n"
	[ "$(counter impair Seen)" = $n ]
	[ $(($(arrived) - before)) = "$(counter link TxFrames)" ]
	within "$hit" "$(awk -v p="$3" 'BEGIN { print 1000 * p }')" \
		"$(awk -v p="$3" 'BEGIN { p /= 100; print 4 * sqrt(100000 * p * (1 - p)) }')"
	# All that was sent besides: ARP, and the question to port 9.
	within $(($(arrived) - before)) $((n $4 hit + 7)) 5
}

@test "100,000 datagrams: loss and duplicates are as many as asked, and the far side agrees with the counters" {
	share loss=2% Lost 2 -
	kill_engines
	share duplicate=1% Duplicated 1 +
}

@test "a delay on the wire is as long as asked, within 2 % or 200 us" {
	local plain late ms
	spawn clock in_server /usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.77.0.2", 5001))
while True:
    data, who = s.recvfrom(100)
    s.sendto(str(time.monotonic_ns()).encode(), who)'
	wait_for 5 bound 5001
	# The way there, in microseconds, by one clock at both ends: the first decile, for a busy machine makes late and
	# never early; and the shortest. A pause before each makes the way without a delay as cold as the one with it:
	# a virtual CPU that slept for milliseconds takes 100 us to wake, and that is not of the delay.
	local ask='
import select, socket, statistics, sys, time
pause = float(sys.argv[1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.77.0.2", 5001))
took = []
for i in range(200):
    select.select([], [], [], pause)
    began = time.monotonic_ns()
    s.send(b"x")
    took.append(int(s.recv(100)) - began)
print(round(statistics.quantiles(took, n=10)[0] / 1000), round(min(took) / 1000))'
	for ms in 20 5; do
		plain=$(impaired "match='udp port 9' loss=1%" -- /usr/bin/python3 -c "$ask" "$(printf 0.%03d $ms)")
		kill_engines
		late=$(impaired "match='udp' out delay=${ms}ms" -- /usr/bin/python3 -c "$ask" "$(printf 0.%03d $ms)")
		kill_engines
		figure "delay=${ms}ms: $late us (without: $plain us)"
		[ "${late#* }" -ge $((ms * 1000)) ]
		within $((${late% *} - ${plain% *})) $((ms * 1000)) $((ms == 20 ? 400 : 200))
	done
	end_of clock
}

@test "a rate on the wire is as high as asked, within 2 %" {
	spawn meter in_server /usr/bin/python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(("10.77.0.2", 5000))
data, who = s.recvfrom(2000)
began = time.monotonic_ns()
for i in range(3999):
    s.recv(2000)
# 1400 bytes, and the headers of UDP, IP and Ethernet
rate = round(3999 * 1442 * 8e9 / (time.monotonic_ns() - began))
s.sendto(str(rate).encode(), who)'
	wait_for 5 bound 5000
	# It waits for the answer: the rules go with the program.
	run impaired "match='udp port 5000' out rate=20mbit limit=100000" -- /usr/bin/python3 -c "
$ask_neighbour
for i in range(4000):
    s.send(bytes(1400))
print(s.recv(100).decode())"
	assert_success
	figure "rate=20mbit: $output bit/s"
	within "$output" 20000000 400000
}

# Mbit/s of a download that asks for 1 Gbit/s.
paced()
{
	in_client "$LAN_TEECEE" run --fresh -i va --ip $LAN_FAKE/24 "$@" -- curl -sS --limit-rate 125M -o /dev/null \
		-w '%{speed_download}\n' $LAN_URL/128m | awk '{ printf "%.0f\n", $1 * 8 / 1e6 }'
}

@test "a capture costs less than 10 % at 1 Gbit/s" {
	local i without=() with=() best_without best_with
	mkdir -p "$LAN_DIR/ram"
	mount -t tmpfs -o size=400m tmpfs "$LAN_DIR/ram" # the disk's speed is not the question
	for i in 1 2 3; do
		without+=("$(paced)")
		with+=("$(paced -p "$LAN_DIR/ram/own.pcapng")")
	done
	[ "$(stat -c %s "$LAN_DIR/ram/own.pcapng")" -gt 134217728 ]
	kill_engines
	umount "$LAN_DIR/ram"
	best_without=$(printf '%s\n' "${without[@]}" | sort -n | tail -n 1)
	best_with=$(printf '%s\n' "${with[@]}" | sort -n | tail -n 1)
	figure "128 MiB at 1 Gbit/s: ${without[*]} Mbit/s without a capture, ${with[*]} with one"
	[ "$best_without" -gt 900 ]
	[ $((10 * best_with)) -gt $((9 * best_without)) ]
}
