# UDP and ICMP: the programs that people use, from the spoofed address.

setup_file()
{
	load common
	lan_up
	spawn echo in_server /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("'$LAN_SERVER'", 9000))
while True:
    data, who = s.recvfrom(65536)
    s.sendto(data, who)
'
	wait_for 10 bound server 9000
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

bound() { [ -n "$(ip netns exec "$1" ss -Hlun "sport = :$2")" ]; }

# Python under the shim, with a socket module and an echo peer at hand.
snake() { with_teecee timeout 20 /usr/bin/python3 -c "
import os, socket, sys
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    return s
peer = ('$LAN_SERVER', 9000)
$1"; }

# What we sent is flawless, and it was we who sent it.
assert_clean_datagrams()
{
	local ours="ip.src == $LAN_FAKE"
	refute [ -z "$(frames "$ours && $1" | head -n 1)" ]
	assert_no_frames "malformed" "$ours && _ws.malformed"
	assert_no_frames "checksum" "$ours && (ip.checksum.status != 1 || (udp && udp.checksum.status != 1) || \
(icmp.checksum.status && icmp.checksum.status != 1))"
}

@test "ping, with a raw and with a datagram socket" {
	capture_start ping
	run with_teecee ping -c 3 -i 0.2 $LAN_SERVER
	assert_success
	assert_output --partial "3 packets transmitted, 3 received, 0% packet loss"
	refute_output --partial WARNING
	set_sysctl client net/ipv4/ping_group_range "0 2147483647"
	run with_teecee ping -c 1 -s 20000 $LAN_SERVER
	assert_success
	assert_output --partial "1 received"
	set_sysctl client net/ipv4/ping_group_range "1 0"
	capture_stop
	assert_clean_datagrams icmp
	assert_kernel_silent
}

@test "ping tells that nobody answers, and that there is no way" {
	run with_teecee ping -c 1 -W 5 10.77.0.99
	assert_failure
	assert_output --partial "From $LAN_FAKE icmp_seq=1 Destination Host Unreachable"
	run with_teecee ping -c 1 -W 1 192.0.2.1
	assert_failure
	assert_output --partial "Network is unreachable"
}

@test "the server's ping is answered while a program has a raw socket" {
	spawn pinging with_teecee ping -i 0.2 -w 3 $LAN_SERVER
	wait_for 10 grep -q "icmp_seq=1 " "$LAN_DIR/pinging.log"
	run in_server ping -c 2 -i 0.2 -W 2 $LAN_FAKE
	assert_success
	finish 10 pinging
	refute_output --partial "$LAN_FAKE"
}

@test "traceroute by UDP and by ICMP" {
	for how in -U -I; do
		run with_teecee timeout 20 traceroute $how -n -w 2 -m 3 $LAN_SERVER
		assert_success
		assert_line --regexp "^ 1  $LAN_SERVER  [0-9.]+ ms"
	done
}

@test "nc -u both ways" {
	run with_teecee timeout 10 nc -u -w 1 $LAN_SERVER 9000 <<<"over and back"
	assert_output "over and back"
	spawn listener with_teecee timeout 10 nc -u -l -W 1 7777
	wait_for 5 engine_pid
	said() { in_server bash -c "echo heard >/dev/udp/$LAN_FAKE/7777"; grep -q heard "$LAN_DIR/listener.log"; }
	wait_for 10 said
}

@test "dig asks a name server" {
	spawn dns in_server /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("'$LAN_SERVER'", 53))
while True:
    q, who = s.recvfrom(4096)
    name = q[12:q.index(b"\0", 12) + 5]
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\1\2\3"
    s.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + name + answer, who)
'
	wait_for 10 bound server 53
	capture_start dig
	run with_teecee timeout 10 dig +short @$LAN_SERVER name.example
	assert_output 10.1.2.3
	capture_stop
	assert_clean_datagrams dns
}

# iperf3_udp OPTION…: datagrams lost, of how many.
iperf3_udp()
{
	spawn iperf in_server iperf3 -s -1 -B $LAN_SERVER
	wait_for 10 listening server 5201
	run with_teecee timeout 20 iperf3 -u -t 2 -c $LAN_SERVER "$@"
	assert_success
	sed -n 's/.* \([0-9]*\)\/\([0-9]*\) .*receiver/\1 \2/p' <<<"$output" | tail -n 1
	finish 5 iperf
}

not_taken() { ip netns exec server awk '/^Udp:/ && $6 ~ /^[0-9]/ { print $6 }' /proc/net/snmp; }

@test "iperf3 -u: what is missing is what the receiving kernel had no room for" {
	local before after lost all
	before=$(not_taken)
	read -r lost all < <(iperf3_udp -b 100M)
	after=$(not_taken)
	figure "iperf3 -u -b 100M: $lost of $all missing, $((after - before)) of them the receiver's RcvbufErrors"
	assert [ "$all" -gt 10000 ]
	assert [ "$lost" -le $((after - before)) ] # those behind the last one that arrived it does not count
	read -r lost all < <(iperf3_udp -b 10M -R)
	figure "iperf3 -u -b 10M -R: $lost of $all missing"
	assert [ "$all" -gt 1000 ]
	assert [ "$lost" -le $((all / 20)) ]
}

@test "large datagrams leave and arrive in fragments, flawless" {
	capture_start large
	run snake "
s = udp()
for n in (0, 1, 1472, 1473, 9000, 65507):
    s.sendto(bytes(i % 251 for i in range(n)), peer)
    data, who = s.recvfrom(70000)
    assert data == bytes(i % 251 for i in range(n)) and who == peer, n
print('all came back')"
	assert_output "all came back"
	capture_stop
	assert_clean_datagrams udp
	assert [ "$(frames "ip.src == $LAN_FAKE && ip.flags.mf == 1" | wc -l)" -ge 40 ]
	assert_kernel_silent
}

@test "a full socket drops, counts, and goes on" {
	run snake "
s = udp()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(('', 7001))
t = udp()
for i in range(3000):
    t.sendto(b'%0800d' % i, ('$LAN_FAKE', 7001))
got = 0
s.settimeout(0.5)
try:
    while True: s.recv(1000); got += 1
except TimeoutError: pass
assert 0 < got < 3000, got
t.sendto(b'again', ('$LAN_FAKE', 7001))
print(s.recv(100).decode())"
	assert_line "again"
}

@test "multicast: a join is reported, what is sent to the group arrives, and leaves" {
	capture_start group
	run snake "
s = udp()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 5353))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('239.1.2.3') + socket.inet_aton('0.0.0.0'))
t = udp()
t.sendto(b'to the group', ('239.1.2.3', 5353))
print(s.recv(100).decode())
s.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, socket.inet_aton('239.1.2.3') + socket.inet_aton('0.0.0.0'))
print('left')"
	assert_output "to the group
left"
	capture_stop
	refute [ -z "$(frames "igmp.record_type == 4 && igmp.maddr == 239.1.2.3 && ip.src == $LAN_FAKE")" ]
	refute [ -z "$(frames "igmp.record_type == 3 && igmp.maddr == 239.1.2.3 && ip.src == $LAN_FAKE")" ]
	assert_no_frames "IGMP" "ip.src == $LAN_FAKE && igmp && (igmp.checksum.status != 1 || ip.ttl != 1)"
	refute [ -z "$(frames "udp && ip.dst == 239.1.2.3 && ip.ttl == 1 && eth.dst == 01:00:5e:01:02:03")" ]
}

@test "a broadcast needs leave, then reaches the LAN" {
	capture_start broadcast
	run snake "
s = udp()
try: s.sendto(b'x', ('10.77.0.255', 9))
except PermissionError as e: print('refused')
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
print(s.sendto(b'to all', ('10.77.0.255', 9)), s.sendto(b'to all', ('255.255.255.255', 9)))"
	assert_output "refused
6 6"
	capture_stop
	assert_equal "$(frames "eth.dst == ff:ff:ff:ff:ff:ff && udp && ip.src == $LAN_FAKE" | wc -l)" 2
}

@test "loopback and bypassed destinations are the kernel's" {
	spawn local in_client /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 9100))
while True: data, who = s.recvfrom(99); s.sendto(data + who[0].encode(), who)
'
	wait_for 10 bound client 9100
	run snake "
s = udp(); s.sendto(b'a ', ('127.0.0.1', 9100)); print(s.recv(99).decode())
s = udp(); s.connect(('127.0.0.1', 9100)); s.send(b'b '); print(s.recv(99).decode())
s = udp(); s.sendto(b'c', peer); print(s.recv(9).decode())
try: s.sendto(b'd ', ('127.0.0.1', 9100))
except OSError as e: print(e.strerror)"
	assert_output "a 127.0.0.1
b 127.0.0.1
c
Network is unreachable"
	TEECEE_BYPASS=$LAN_SERVER/32 run snake "
s = udp(); s.connect(peer); print(s.getsockname()[0])"
	assert_output "$LAN_KERNEL"
}

@test "a socket outlives fork and exec, and an unshimmed child can write to it" {
	run snake "
s = udp(); s.setblocking(True); s.connect(peer); s.set_inheritable(True)
if os.fork() == 0:
    s.send(b'from the child'); os._exit(0)
os.wait(); print(s.recv(99).decode())
os.system('env -u LD_PRELOAD /usr/bin/python3 -c \"import os; os.write(%d, b\'unshimmed\')\"' % s.fileno())
print(s.recv(99).decode())
os.environ['FD'] = str(s.fileno())
sys.stdout.flush()
os.execv('/usr/bin/python3', ['python3', '-c', '''
import os, socket
fd = int(os.environ[\"FD\"])
os.write(fd, b\"after exec\"); print(os.read(fd, 99).decode())
s = socket.socket(fileno=fd); print(s.type == socket.SOCK_DGRAM, s.getpeername()[1])'''])"
	assert_output "from the child
unshimmed
after exec
True 9000"
}

@test "the engine's death is an error, and a new socket works" {
	run snake "udp().sendto(b'x', peer)" # there is an engine
	run snake "
s = udp(); s.connect(peer); s.send(b'x'); print(s.recv(9).decode()); sys.stdout.flush()
os.kill($(engine_pid), 9)
for call in (lambda: s.recv(9), lambda: s.send(b'y')):
    try: print(call())
    except OSError as e: print(e.strerror)
s = udp(); s.sendto(b'again', peer); print(s.recv(9).decode())"
	assert_output "x
Network is down
Network is down
again"
}

@test "a program that does not read its datagrams keeps nobody else from theirs" {
	run snake '
idle, busy = udp(), udp()
for i in range(300):
    for _ in range(5):
        idle.sendto(bytes(1000), peer)
    busy.sendto(b"%d" % i, peer)
    assert busy.recv(100) == b"%d" % i, i
assert len(idle.recv(2000)) == 1000
print("all of them")'
	assert_success
	assert_output "all of them"
}
