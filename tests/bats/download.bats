# Downloads: every byte, every time.
bats_require_minimum_version 1.5.0

setup_file()
{
	load common
	lan_up
	nginx_up
	peer_up
	SHA_1M=$(docroot_file 1m 1048576)
	export SHA_1M
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

# Fetches the 1 MiB file 200 times, 20 at once, each time by a new wget, and says how many were right.
two_hundred()
{
	seq 200 | with_teecee xargs -P 20 -I{} bash -c \
		"set -o pipefail; wget -q --tries=1 --timeout=20 -O - $LAN_URL/1m | sha256sum || echo failed" |
		grep -c "^$SHA_1M "
}

@test "wget fetches a page from an address that the kernel does not have" {
	run --separate-stderr with_teecee wget -qO- "$LAN_URL/"
	assert_success
	assert_equal "$output" "$(cat "$LAN_DIR/www/index.html")"
	assert_equal "$stderr" ""
	run fake_mac
	refute_output "$(kernel_mac)"
	run ip -n client addr
	refute_output --partial "$LAN_FAKE"
}

@test "200 of 200 wget runs of 1 MiB, 20 at once" {
	capture_start own 100
	run two_hundred
	assert_output 200
	capture_stop
	assert_kernel_silent
}

@test "200 of 200 with forwarding on in the host" {
	set_sysctl client net/ipv4/conf/all/forwarding 1
	capture_start forwarding 100
	run two_hundred
	assert_output 200
	capture_stop
	set_sysctl client net/ipv4/conf/all/forwarding 0
	assert_kernel_silent
}

@test "200 of 200 with the MAC of the NIC, forwarding off" {
	export TEECEE_MAC=nic TEECEE_IP=10.77.0.130/24
	set_sysctl client net/ipv4/conf/all/forwarding 0
	capture_start nic 100
	run two_hundred
	assert_output 200
	capture_stop
	assert_equal "$(fake_mac 10.77.0.130)" "$(kernel_mac)"
	assert_no_frames "reset" "ip.addr == 10.77.0.130 && tcp.flags.reset == 1"
	assert_no_frames "sent by the kernel" "tcp && ip.src == $LAN_KERNEL"
	assert_no_frames "sent by the kernel" "icmp && eth.src == $(kernel_mac)"
}

@test "wget of 1 GiB has the right SHA-256" {
	local sha
	sha=$(docroot_file 1g 1073741824)
	run with_teecee bash -c "set -o pipefail; wget -q --tries=1 -O - $LAN_URL/1g | sha256sum"
	rm -f "$LAN_DIR/www/1g"
	assert_success
	assert_output "$sha  -"
}

@test "wget -r mirrors a small site" {
	local i dir
	for dir in a a/b c; do
		mkdir -p "$LAN_DIR/www/site/$dir"
		{
			for i in 1 2 3 4; do
				"$LAN_TOOLS/noise" 30000 $i >"$LAN_DIR/www/site/$dir/$i.bin"
				echo "<a href=$i.bin>$i</a>"
			done
		} >"$LAN_DIR/www/site/$dir/index.html"
	done
	echo '<a href=a/index.html>a</a><a href=a/b/index.html>b</a><a href=c/index.html>c</a>' \
		>"$LAN_DIR/www/site/index.html"
	run with_teecee wget -q -r -np -nH -P "$LAN_DIR/mirror" "$LAN_URL/site/index.html"
	assert_success
	run diff -r "$LAN_DIR/www/site" "$LAN_DIR/mirror/site"
	assert_success
}

@test "curl fetches two URLs over one connection" {
	run with_teecee curl -sS -w '%{num_connects}\n' -o "$LAN_DIR/one" -o "$LAN_DIR/two" "$LAN_URL/1m" "$LAN_URL/1m"
	assert_success
	assert_output $'1\n0'
	assert_equal "$(sha256 "$LAN_DIR/one")" "$SHA_1M"
	assert_equal "$(sha256 "$LAN_DIR/two")" "$SHA_1M"
}

@test "an orderly end without Content-Length is an end, in wget, curl and stdio" {
	local sha
	sha=$(/usr/bin/python3 "$LAN_TOP/tests/tools/peer.py" body 500000 | sha256)
	run with_teecee bash -c "set -o pipefail; wget -q --tries=1 -O - $LAN_URL:8000/plain/500000 | sha256sum"
	assert_success
	assert_output "$sha  -"
	run with_teecee bash -c "set -o pipefail; curl -sS $LAN_URL:8000/plain/500000 | sha256sum"
	assert_success
	assert_output "$sha  -"
	run with_teecee "$LAN_TOOLS/reader" "$LAN_SERVER" 8000 /plain/500000
	assert_success
	assert_output "500064 bytes, end"
}

@test "a child that inherited the socket reads it, without the library" {
	run with_teecee "$LAN_TOOLS/reader" "$LAN_SERVER" 8000 /plain/500000 "$LAN_TOOLS/static_drain"
	assert_success
	assert_output "500064 bytes, end"
}

@test "examples/curl fetches the page without LD_PRELOAD" {
	run --separate-stderr in_client "$LAN_TOP/build/examples/curl" 10.77.0.140/24 "$LAN_URL/" va
	assert_success
	assert_equal "$output" "$(cat "$LAN_DIR/www/index.html")"
}

@test "teecee run sets everything up" {
	run --separate-stderr in_client "$LAN_TEECEE" run -i va --ip "$LAN_FAKE/24" -- wget -qO- "$LAN_URL/"
	assert_success
	assert_equal "$output" "$(cat "$LAN_DIR/www/index.html")"
}

@test "TEECEE_IP=auto finds a free address, and the same one next time" {
	local first
	kill_engines # whose address may be the one that is tried first
	TEECEE_IP=auto run with_teecee curl -sS -o "$LAN_DIR/auto" "$LAN_URL:8000/plain/10"
	assert_success
	first=$(awk '$2 == "from" { a = $3 } END { print a }' "$LAN_DIR/peer.log")
	refute [ "$first" = "$LAN_KERNEL" ]
	kill_engines
	TEECEE_IP=auto run with_teecee curl -sS -o "$LAN_DIR/auto" "$LAN_URL:8000/plain/10"
	assert_success
	assert_equal "$(awk '$2 == "from" { a = $3 } END { print a }' "$LAN_DIR/peer.log")" "$first"
}

@test "the interface of the default route is the default, its gateway reaches other subnets" {
	ip -n server addr add 10.88.0.2/32 dev lo
	ip -n client route add default via $LAN_SERVER
	spawn far in_server /usr/bin/python3 "$LAN_TOP/tests/tools/peer.py" 10.88.0.2 8000
	wait_for 10 in_server bash -c '</dev/tcp/10.88.0.2/8000'
	run in_client env LD_PRELOAD="$LAN_LIB" TEECEE_IP=10.77.0.141/24 curl -sS -o "$LAN_DIR/far.bin" \
		http://10.88.0.2:8000/plain/10000
	assert_success
	grep -q 'from 10.77.0.141' "$LAN_DIR/far.log"
	ip -n client route del default
}
