# teecee doctor: each fault, made in a namespace, is named and has its advice.

setup_file()
{
	load common
	lan_up
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

doctor() { run in_client "$LAN_TEECEE" doctor -i va --ip $LAN_FAKE/24 "$@"; }

# said VERDICT CHECK TEXT [ADVICE]: a line, and what is advised below it.
said()
{
	local advice
	assert_line --regexp "^$1 +$2 +.*$3"
	[ -n "${4-}" ] || return 0
	advice=$(grep -E -A1 "^$1 +$2 +.*$3" <<<"$output" | grep -- '->')
	grep -qE -- "$4" <<<"$advice" || fail "no such advice: $4; but: $advice"
}

@test "all is well: nothing fails, and nothing has changed" {
	local before after
	before=$(in_client ip -d link show va)
	doctor
	assert_success
	after=$(in_client ip -d link show va)
	[ "$before" = "$after" ]
	said ok library libteecee.so
	said ok engine teecee-engine
	said ok interface 'va, MTU 1500'
	said ok privilege CAP_NET_RAW
	said ok wifi 'not Wi-Fi'
	said ok promiscuous va
	said ok address '10\.77\.0\.129/24'
	said warn address 'no gateway' '--gateway'
	said ok forwarding 'does not forward'
	said ok kernel 'Linux [0-9]'
	said ok kernel PACKET_VNET_HDR
	assert_line --regexp '^0 failed'
	no_engine
}

@test "json: the same, for machines" {
	doctor --json
	assert_success
	run python3 -c '
import json, sys
lines = json.loads(sys.argv[1])
print(sorted({l["verdict"] for l in lines} - {"ok", "warn"}), [l["found"] for l in lines if l["check"] == "wifi"])
' "$output"
	assert_output "[] ['va is not Wi-Fi']"
}

@test "no CAP_NET_RAW: fail, and setcap is the advice; with it on the file: ok, unless it is withheld" {
	run in_client capsh --drop=cap_net_raw -- -c "'$LAN_TEECEE' doctor -i va --ip $LAN_FAKE/24"
	assert_failure 1
	said fail privilege 'CAP_NET_RAW' 'setcap cap_net_raw\+p .*teecee-engine'
	said warn promiscuous 'cannot be tried'
	local dir
	dir=$(mktemp -d)
	cp "$LAN_TOP/build/teecee-engine" "$dir/engine"
	chmod 755 "$dir" "$dir/engine"
	setcap cap_net_raw+p "$dir/engine"
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	local ask=("$LAN_TEECEE" doctor -i va --ip $LAN_FAKE/24 --engine "$dir/engine")
	run in_client "${as[@]}" "${ask[@]}"
	assert_success
	said ok privilege 'engine has CAP_NET_RAW'
	run in_client "${as[@]}" --no-new-privs "${ask[@]}"
	assert_failure 1
	said fail privilege no_new_privs
	rm -r "$dir"
}

@test "the interface: none, not there, down, not Ethernet, no carrier" {
	run in_client "$LAN_TEECEE" doctor
	assert_failure 1
	said fail interface 'no default route' 'TEECEE_IFACE'
	run in_client "$LAN_TEECEE" doctor -i nope0
	assert_failure 1
	said fail interface 'nope0: no such interface'
	run in_client "$LAN_TEECEE" doctor -i lo
	assert_failure 1
	said fail interface 'lo: not an Ethernet interface'
	ip -n client link add vx type veth peer name vy
	run in_client "$LAN_TEECEE" doctor -i vx
	assert_failure 1
	said fail interface 'vx: the interface is down'
	ip -n client link set vx up
	ip -n client addr add 10.78.0.1/24 dev vx
	run in_client "$LAN_TEECEE" doctor -i vx
	assert_success
	said warn interface 'no carrier' cable
	ip -n client link del vx
}

@test "Wi-Fi: fail with a MAC of our own, ok with the card's" {
	wifi()
	{
		run in_client sh -c 'mount -t tmpfs tmpfs /sys/class/net && mkdir -p /sys/class/net/va/wireless &&
			exec "$@"' sh "$LAN_TEECEE" doctor -i va --ip $LAN_FAKE/24 "$@"
	}
	wifi
	assert_failure 1
	said fail wifi 'access points drop' 'TEECEE_MAC=nic.*teecee nat up'
	wifi --mac nic
	assert_success
	said ok wifi "the card's own"
	said ok promiscuous 'not needed'
}

@test "forwarding: fail with the card's MAC, no matter with our own" {
	set_sysctl client net/ipv4/conf/all/forwarding 1
	doctor --mac nic
	assert_failure 1
	said fail forwarding 'would answer' 'net\.ipv4\.conf\.va\.forwarding=0'
	doctor
	assert_success
	set_sysctl client net/ipv4/conf/all/forwarding 0
}

@test "the address: the kernel's own, outside the subnet, no subnet at all; a running engine is told" {
	doctor --ip $LAN_KERNEL/24
	assert_failure 1
	said fail address "$LAN_KERNEL is the kernel's own" '--ip'
	doctor --ip 10.99.0.5/24
	assert_failure 1
	said fail address '10\.99\.0\.5 is not in a subnet'
	ip -n client link add vx type veth peer name vy
	ip -n client link set vx up
	run in_client "$LAN_TEECEE" doctor -i vx
	assert_failure 1
	said fail address 'no IPv4 subnet'
	ip -n client link del vx
	run with_teecee /usr/bin/python3 -c 'import socket; socket.socket().bind(("0.0.0.0", 4000))'
	doctor
	assert_success
	said ok address "$LAN_FAKE/24: engine $(engine_pid) runs"
	# The same from the side: held by an engine of another name.
	run in_client "$LAN_TEECEE" doctor -i va --ip ${LAN_FAKE}/25
	assert_failure 1
	said fail address 'in use on va by another program'
}

@test "the library: missing, or none that can be preloaded; and no engine" {
	local dir=$BATS_TEST_TMPDIR/bin
	mkdir "$dir"
	cp "$LAN_TEECEE" "$dir/teecee"
	run in_client "$dir/teecee" doctor -i va
	assert_failure 1
	said fail library 'neither beside' make
	said fail engine 'cannot be executed' 'TEECEE_ENGINE'
	echo "no library" >"$dir/libteecee.so"
	run in_client "$dir/teecee" doctor -i va
	assert_failure 1
	said fail library 'cannot be preloaded'
	doctor --engine /nonexistent/engine
	assert_failure 1
	said fail engine /nonexistent/engine
}

@test "names: no file, no server, only IPv6, the loopback; TEECEE_DNS is enough" {
	resolv()
	{
		printf '%b' "$1" >"$LAN_DIR/resolv.conf"
		shift
		run in_client sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$LAN_DIR/resolv.conf" \
			"$LAN_TEECEE" doctor -i va --ip $LAN_FAKE/24 "$@"
	}
	[ -e /etc/resolv.conf ] || skip "there is no /etc/resolv.conf to put another one over"
	resolv ''
	assert_success
	said warn names 'no IPv4 server' TEECEE_DNS
	resolv 'nameserver 2001:db8::1\n'
	said warn names 'IPv6 is not served'
	resolv 'nameserver 127.0.0.53\nnameserver 10.77.0.2\n'
	said ok names "servers: 1 over the stack, 1 over the host's kernel"
	resolv '' --dns 10.77.0.2
	said ok names 'TEECEE_DNS: 1'
}

@test "user namespaces and descriptors: warnings" {
	run in_client setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'ulimit -n 500; exec "$@"' sh \
		"$LAN_TEECEE" doctor -i va --ip $LAN_FAKE/24
	said warn descriptors 'at most 500' ulimit
	# Who lives in a chroot may not make one (user_namespaces(7)).
	mkdir "$LAN_DIR/root"
	run in_client sh -c 'mount --rbind / "$0" && exec chroot "$0" "$@"' "$LAN_DIR/root" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$LAN_TEECEE" doctor -i va
	said warn namespaces 'make demo' 'max_user_namespaces'
}

@test "a setting that cannot be is refused as ever" {
	doctor --mtu 12
	assert_failure 125
	assert_one_clear_line 'TEECEE_MTU=12'
	doctor now
	assert_failure 125
	assert_one_clear_line 'only options'
}
