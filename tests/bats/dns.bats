# Names: what programs see is what glibc shows them, and the questions leave from the spoofed address.
bats_require_minimum_version 1.5.0

# resolver_conf LINE…: the program's resolv.conf from now on; private to this run, as all its mounts are.
resolver_conf() { printf '%s\n' "$@" >"$LAN_DIR/resolv.conf"; }

# A name server in the server's namespace that knows .test and refuses the rest.
dnsmasq_up()
{
	local text
	printf -v text '%0.sx' {1..200}
	{
		printf '%s\n' no-resolv no-hosts user=root group= pid-file= bind-interfaces cache-size=0 \
			"listen-address=$LAN_SERVER" local=/{test,one,nowhere,sub,99.10.in-addr.arpa}/ \
			"host-record=one.test,$LAN_SERVER" cname=alias.test,one.test \
			host-record=six.test,2001:db8::6 host-record=both.test,10.0.0.5,2001:db8::5 \
			txt-record=empty.test,nothing mx-host=one.test,mail.test,10 host-record=deep.sub.test,10.0.0.7 \
			"addn-hosts=$LAN_DIR/many"
		local i
		for i in {1..12}; do echo "txt-record=big.test,$text$i"; done
	} >"$LAN_DIR/dnsmasq.conf"
	printf '10.5.0.%d many.test\n' {1..9} >"$LAN_DIR/many"
	spawn dnsmasq in_server dnsmasq -k -C "$LAN_DIR/dnsmasq.conf" --log-queries --log-facility=-
	wait_for 10 listening server 53 || { cat "$LAN_DIR/dnsmasq.log" >&2 && return 1; }
}

setup_file()
{
	load common
	lan_up
	{ cat /etc/hosts && echo "192.0.2.44 fromfile fromfile.alias"; } >"$LAN_DIR/hosts"
	echo "hosts: files dns" >"$LAN_DIR/nsswitch.conf"
	resolver_conf "nameserver $LAN_SERVER" "search test" "options timeout:1 attempts:2"
	for file in hosts resolv.conf nsswitch.conf; do
		mount --bind "$LAN_DIR/$file" "/etc/$file"
	done
	dnsmasq_up
}

teardown_file()
{
	load common
	umount /etc/hosts /etc/resolv.conf /etc/nsswitch.conf
	lan_down
}

setup()
{
	load common
	resolver_conf "nameserver $LAN_SERVER" "search test" "options timeout:1 attempts:2"
}

@test "every call about names prints under the shim what it prints without" {
	in_client timeout 60 "$LAN_TOOLS/lookups" >"$LAN_DIR/kernel.log"
	with_teecee timeout 60 "$LAN_TOOLS/lookups" >"$LAN_DIR/shim.log"
	[ "$(grep -c . "$LAN_DIR/kernel.log")" -gt 200 ]
	grep -q "^  10.77.0.2 80 family 2 type 1" "$LAN_DIR/kernel.log"
	diff -u "$LAN_DIR/kernel.log" "$LAN_DIR/shim.log"
}

@test "questions leave from the spoofed address, UDP and, for a truncated answer, TCP" {
	capture_start names
	with_teecee "$LAN_TOOLS/lookups" >"$LAN_DIR/shim.log"
	capture_stop
	[ "$(count_frames "src host $LAN_FAKE and udp dst port 53")" -gt 50 ]
	[ "$(count_frames "src host $LAN_FAKE and tcp dst port 53")" -gt 3 ]
	[ "$(count_frames "src host $LAN_KERNEL and port 53")" = 0 ]
	grep -q "res_search TXT big.test: .* 12 answers, truncated 0" "$LAN_DIR/shim.log"
	assert_kernel_silent
}

@test "a numeric address and a name of /etc/hosts cause no traffic" {
	capture_start silent
	run -0 with_teecee getent ahostsv4 192.0.2.9
	run -0 with_teecee getent ahostsv4 fromfile
	assert_output --partial 192.0.2.44
	capture_stop
	[ "$(count_frames "port 53")" = 0 ]
}

@test "wget finds its server by name" {
	nginx_up
	run -0 with_teecee wget -qO - http://one.test/
	assert_output --partial "web server of a private LAN"
}

@test "TEECEE_DNS is asked instead of resolv.conf's servers" {
	resolver_conf "nameserver 10.77.0.99" "options timeout:1 attempts:1"
	run -0 with_teecee env TEECEE_DNS="$LAN_SERVER" getent ahostsv4 one.test
	assert_output --partial "$LAN_SERVER"
	run with_teecee env TEECEE_DNS=nonsense getent ahostsv4 one.test
	assert_one_clear_line "TEECEE_DNS=nonsense: should be "
}

@test "a server that is silent or refuses is passed over for the next one" {
	resolver_conf "nameserver 10.77.0.99" "nameserver $LAN_KERNEL" "nameserver $LAN_SERVER" \
		"options timeout:1 attempts:2"
	run -0 with_teecee timeout 20 getent ahostsv4 one.test
	assert_output --partial "$LAN_SERVER"
}

@test "without a server that answers the error is glibc's" {
	resolver_conf "options timeout:1 attempts:1"
	run in_client /usr/bin/python3 -c 'import socket; socket.getaddrinfo("one.test", 80)'
	local expected=${lines[-1]}
	run with_teecee /usr/bin/python3 -c 'import socket; socket.getaddrinfo("one.test", 80)'
	assert_equal "${lines[-1]}" "$expected"
	assert_output --partial "Temporary failure"
}

@test "a server on the host's loopback is asked over the host's kernel" {
	resolver_conf "nameserver 127.0.0.53" "options timeout:1 attempts:2"
	spawn local in_client dnsmasq -k -C /dev/null --no-resolv --no-hosts --user=root --pid-file= --bind-interfaces \
		--listen-address=127.0.0.53 --local=/test/ --host-record=here.test,10.0.0.53
	wait_for 10 listening client 53
	run -0 with_teecee getent ahostsv4 here.test
	assert_output --partial 10.0.0.53
}

@test "the engine killed in the middle of a lookup is replaced" {
	local engine
	resolver_conf "nameserver 10.77.0.99" "options timeout:2 attempts:1"
	spawn silent in_server nc -lu $LAN_SERVER 5301
	wait_for 10 listening_udp 5301
	spawn asking with_teecee env TEECEE_DNS=$LAN_SERVER:5301 getent ahostsv4 asked.test
	wait_for 10 grep -aq asked "$LAN_DIR/silent.log"
	engine=$(engine_pid)
	kill -KILL "$engine"
	finish 20 asking
	[ "$status" = 2 ]
	[ "$(engine_pid)" != "$engine" ]
	resolver_conf "nameserver $LAN_SERVER"
	run -0 with_teecee getent ahostsv4 one.test
}

listening_udp() { [ -n "$(ip netns exec server ss -Hlun "sport = :$1")" ]; }

# unbound with the names of lookups' load; 1,000 threads' worth of questions at once.
unbound_up()
{
	local i
	{
		printf '%s\n' "server:" "interface: $LAN_SERVER@5300" "access-control: 10.77.0.0/24 allow" \
			"do-daemonize: no" 'username: ""' 'chroot: ""' "directory: $LAN_DIR" 'pidfile: ""' \
			"use-syslog: no" 'module-config: "iterator"' "do-ip6: no" "so-rcvbuf: 4m" \
			'local-zone: "load.test." static'
		for ((i = 0; i < $1; i++)); do
			echo "local-data: \"n$i.load.test. A 10.$((i >> 16)).$((i >> 8 & 255)).$((i & 255))\""
		done
	} >"$LAN_DIR/unbound.conf"
	spawn unbound in_server unbound -d -c "$LAN_DIR/unbound.conf"
	wait_for 20 listening server 5300 || { cat "$LAN_DIR/unbound.log" >&2 && return 1; }
}

@test "1,000 lookups at once from an unbound: every answer right" {
	local began
	unbound_up 1000
	capture_start load
	began=${EPOCHREALTIME/./}
	run -0 with_teecee env TEECEE_DNS=$LAN_SERVER:5300 timeout 60 \
		bash -c "ulimit -n 4096; exec $LAN_TOOLS/lookups 1000 1000"
	figure "1,000 names in $(((${EPOCHREALTIME/./} - began) / 1000)) ms, with the start"
	assert_output --partial "1000 right, 0 wrong"
	capture_stop
	[ "$(count_frames "src host $LAN_FAKE and udp dst port 5300")" -ge 1000 ]
	[ "$(count_frames "src host $LAN_KERNEL and port 5300")" = 0 ]
}
