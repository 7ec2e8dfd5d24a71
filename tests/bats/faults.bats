# Whatever is wrong ends with the errno that the kernel would give, and one clear line where the configuration is at
# fault. Nothing hangs, nothing succeeds by half.

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

setup()
{
	load common
	kill_engines
}

# get [VARIABLE=VALUE…] URL: wget under the shim with these variables; output and status as run leaves them.
get()
{
	local url=${*: -1}
	run with_teecee env "${@:1:$#-1}" timeout 30 wget -nv --tries=1 -O "$LAN_DIR/got" "$url"
}

# connect_errno ADDRESS PORT [SYNCNT]: the name of the errno of a blocking connect, by python.
connect_errno()
{
	run with_teecee timeout 60 /usr/bin/python3 -c '
import errno, socket, sys
s = socket.socket()
if len(sys.argv) > 3:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, int(sys.argv[3]))
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    print("connected")
except OSError as e:
    print(errno.errorcode[e.errno])
' "$@"
}

@test "no CAP_NET_RAW: one line that says so" {
	run with_teecee capsh --drop=cap_net_raw,cap_net_admin -- -c "wget -nv --tries=1 -O /dev/null $LAN_URL/"
	assert_failure 4
	assert_one_clear_line 'CAP_NET_RAW'
}

@test "no such interface: one line that names it" {
	get TEECEE_IFACE=nope0 "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line 'nope0'
}

@test "no interface given and no default route: one line" {
	TEECEE_IFACE='' run with_teecee env -u TEECEE_IFACE wget -nv --tries=1 -O /dev/null "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line 'TEECEE_IFACE'
}

@test "interface down: one line that names it" {
	ip -n client link add vx type veth peer name vy
	ip -n client addr add 10.78.0.1/24 dev vx
	get TEECEE_IFACE=vx TEECEE_IP=10.78.0.9/24 http://10.78.0.2/
	assert_failure 4
	assert_one_clear_line 'vx.*down'
	ip -n client link del vx
}

@test "address taken by somebody else: one line that names the MAC" {
	get TEECEE_IP=$LAN_SERVER/24 http://10.77.0.3/
	assert_failure 4
	assert_one_clear_line "$LAN_SERVER.*$(in_server cat /sys/class/net/vb/address)"
}

@test "address of the kernel itself: one line" {
	get TEECEE_IP=$LAN_KERNEL/24 "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line "$LAN_KERNEL"
}

@test "address outside the subnet: one line that names both" {
	get TEECEE_IP=10.99.0.5/24 "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line '10\.99\.0\.5.*10\.77\.0|10\.77\.0.*10\.99\.0\.5'
}

@test "malformed variables: one line that names the variable and the value" {
	local setting
	for setting in TEECEE_IP=10.77.0.300/24 TEECEE_IP=10.77.0.129/99 TEECEE_IP=banana TEECEE_GATEWAY=10.77 \
		TEECEE_MAC=02:00:00 TEECEE_LINK=pigeon TEECEE_MTU=12 TEECEE_IDLE=soon TEECEE_BYPASS=10.0.0.0/99 \
		TEECEE_IFACE=a-name-that-is-too-long; do
		get "$setting" "$LAN_URL/"
		assert_failure 4
		assert_one_clear_line "${setting%%=*}"
		assert_one_clear_line "${setting#*=}"
	done
}

@test "no engine to start: one line that names the path" {
	get TEECEE_ENGINE=/nonexistent/teecee-engine "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line '/nonexistent/teecee-engine'
}

@test "the MAC of the NIC with forwarding on: refused, naming the sysctl" {
	set_sysctl client net/ipv4/conf/all/forwarding 1
	get TEECEE_MAC=nic TEECEE_IP=10.77.0.131/24 "$LAN_URL/"
	set_sysctl client net/ipv4/conf/all/forwarding 0
	assert_failure 4
	assert_one_clear_line 'net\.ipv4\.conf\.va\.forwarding'
}

@test "a running engine is asked for another MAC: refused, naming both" {
	get "$LAN_URL/"
	assert_success
	get TEECEE_MAC=02:00:00:00:00:77 "$LAN_URL/"
	assert_failure 4
	assert_one_clear_line '02:00:00:00:00:77'
}

@test "no route: ENETUNREACH" {
	connect_errno 192.0.2.1 80
	assert_output ENETUNREACH
}

@test "nobody answers ARP: EHOSTUNREACH" {
	connect_errno 10.77.0.77 80
	assert_output EHOSTUNREACH
	get http://10.77.0.77/
	assert_failure 4
	assert_output --partial "No route to host"
}

@test "port closed: ECONNREFUSED" {
	connect_errno $LAN_SERVER 81
	assert_output ECONNREFUSED
	get "$LAN_URL:81/"
	assert_failure 4
	assert_output --partial "Connection refused"
}

# An address whose ARP the server answers and whose packets end in a cable that nobody listens to.
@test "silent peer: ETIMEDOUT, and curl's own limit works" {
	ip -n server link add vx type veth peer name vy
	ip -n server link set vx up
	ip -n server link set vy up
	ip -n server route add 10.77.0.66/32 dev vx
	ip -n server neigh add 10.77.0.66 lladdr 02:00:00:00:00:66 dev vx nud permanent
	set_sysctl server net/ipv4/conf/all/forwarding 1
	ip -n server neigh add proxy 10.77.0.66 dev vb
	run with_teecee curl -sS --connect-timeout 1 http://10.77.0.66/
	assert_failure 28
	connect_errno 10.77.0.66 80 1
	assert_output ETIMEDOUT
	set_sysctl server net/ipv4/conf/all/forwarding 0
	ip -n server link del vx
}

@test "a peer that says nothing more: the program's own limit works" {
	run with_teecee curl -sS --max-time 1 -o "$LAN_DIR/got" "$LAN_URL:8000/hold/1000"
	assert_failure 28
	run with_teecee wget -q --tries=1 --read-timeout=1 -O "$LAN_DIR/got" "$LAN_URL:8000/hold/1000"
	assert_failure 4
}

@test "disk full on the program's side: its own error, and the peer is told" {
	mkdir -p "$LAN_DIR/small"
	mount -t tmpfs -o size=64k tmpfs "$LAN_DIR/small"
	: >"$LAN_DIR/peer.log"
	run with_teecee wget -nv --tries=1 -O "$LAN_DIR/small/got" "$LAN_URL:8000/hold/1000000"
	umount "$LAN_DIR/small"
	assert_failure 3
	wait_for 2 peer_said 'gone'
	get "$LAN_URL/"
	assert_success
}

@test "a real IPv6 destination is unreachable, a v4-mapped one is not" {
	run with_teecee /usr/bin/python3 -c '
import errno, socket
s = socket.socket(socket.AF_INET6)
try:
    s.connect(("2001:db8::1", 80))
except OSError as e:
    print(errno.errorcode[e.errno])
s = socket.socket(socket.AF_INET6)
s.connect(("::ffff:10.77.0.2", 80))
print(s.getpeername()[0])
'
	assert_output $'ENETUNREACH\n::ffff:10.77.0.2'
}
