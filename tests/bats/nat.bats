# teecee nat: a network behind the host, in the client namespace, which is the host here; the server namespace is the
# world, which sees the host's address only. Nothing of this runs on the machine itself: see lan.bash.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 100m 104857600 >"$LAN_DIR/sum"
	set_sysctl server net/ipv4/ip_forward 0
	# A device node that everybody may open, as udev makes it, and a copy of the programs that nobody may execute.
	if [ "$(id -u)" = 0 ] && [ "$(stat -c %a /dev/net/tun)" != 666 ]; then
		mount -t tmpfs tmpfs /dev/net
		mknod -m 666 /dev/net/tun c 10 200
	fi
	mkdir "$LAN_DIR/bin"
	cp "$LAN_TOP"/build/{libteecee.so,teecee,teecee-engine} "$LAN_DIR/bin/"
	chmod 755 "$LAN_DIR" "$LAN_DIR"/bin "$LAN_DIR"/bin/*
}

teardown_file()
{
	load common
	lan_down
}

setup()
{
	load common
	in_client ip link del teecee0 2>/dev/null || true
	in_client nft flush ruleset
	set_sysctl client net/ipv4/ip_forward 0
}

nat() { in_client "$LAN_TEECEE" nat "$@"; }
behind_nat() { in_client "$LAN_TEECEE" run -i teecee0 -- "$@"; }

# Everything of the machine that nat could have changed.
machine()
{
	in_client ip -d link show
	in_client ip address show
	in_client ip route show table all
	in_client nft list ruleset
	in_client sh -c 'cd /proc/sys/net/ipv4 && grep -r . conf/*/forwarding ip_forward | sort'
}

# Who is connected to nginx.
server_sees() { in_server ss -Htn state established "( sport = :80 )" | awk '{ print $4 }' | sort -u; }

@test "behind it the world is reached from the host's address, and a download arrives whole" {
	run nat up
	assert_success
	assert_output --partial "teecee0 is up: 10.231.0.1/24"
	run behind_nat curl -sS -o "$LAN_DIR/got" "$LAN_URL/100m"
	assert_success
	assert_equal "$(sha256 "$LAN_DIR/got")" "$(cat "$LAN_DIR/sum")"
	spawn slow in_client "$LAN_TEECEE" run -i teecee0 -- curl -sS --limit-rate 1M -o /dev/null "$LAN_URL/100m"
	wait_for 10 eval '[ -n "$(server_sees)" ]'
	run server_sees
	assert_output --regexp "^10\.77\.0\.1:[0-9]+$"
}

@test "the kernel at its other end answers" {
	nat up
	run behind_nat ping -c 3 -i 0.2 10.231.0.1
	assert_success
	assert_output --partial "3 received"
}

@test "nobody gets in from outside, and the host forwards for nobody else" {
	nat up --subnet 10.99.0.0/24
	spawn nc in_client "$LAN_TEECEE" run -i teecee0 --ip 10.99.0.9/24 -- nc -l 8080
	wait_for 10 eval 'in_client "$LAN_TEECEE" ss 2>/dev/null | grep -q LISTEN'
	in_server ip route add 10.99.0.0/24 via $LAN_KERNEL
	run in_server nc -w 1 -z 10.99.0.9 8080
	assert_failure
	in_server ip route del 10.99.0.0/24
	run in_client nft list chain ip teecee forward
	assert_output --partial 'iifname != "teecee0" oifname != "teecee0" drop'
	# The host itself does get there: the listener was one.
	run in_client nc -w 1 -z 10.99.0.9 8080
	assert_success
}

@test "down takes everything back, and both can be said twice" {
	machine >"$LAN_DIR/before"
	nat up
	run nat up
	assert_success
	assert_output --partial "teecee0 is up"
	run nat status
	assert_success
	nat down
	machine >"$LAN_DIR/after"
	run diff "$LAN_DIR/before" "$LAN_DIR/after"
	assert_success
	run nat down
	assert_success
	assert_output ""
	run nat status
	assert_failure 1
	assert_output "nat is not up"
}

@test "what forwarded before does so afterwards, and only that" {
	in_client ip link add other type veth peer name peer
	set_sysctl client net/ipv4/conf/other/forwarding 1
	machine >"$LAN_DIR/before"
	nat up
	assert_equal "$(in_client cat /proc/sys/net/ipv4/ip_forward)" 1
	run in_client nft list chain ip teecee forward
	assert_output --partial '"other"'
	nat down
	machine >"$LAN_DIR/after"
	run diff "$LAN_DIR/before" "$LAN_DIR/after"
	assert_success
	set_sysctl client net/ipv4/ip_forward 1
	nat up
	run in_client nft list chain ip teecee forward
	refute_output --partial 'oifname != "teecee0" drop'
	nat down
	assert_equal "$(in_client cat /proc/sys/net/ipv4/ip_forward)" 1
	in_client ip link del other
}

@test "a firewall that flushes all rules harms neither up nor down" {
	machine >"$LAN_DIR/before"
	nat up
	in_client nft flush ruleset
	run nat status
	assert_failure 1
	assert_output --partial "its rules are gone"
	nat up
	run nat status
	assert_success
	in_client nft flush ruleset
	nat down
	machine >"$LAN_DIR/after"
	run diff "$LAN_DIR/before" "$LAN_DIR/after"
	assert_success
}

@test "a subnet in use is refused, and so is what is none" {
	local subnet
	for subnet in 10.77.0.0/24 10.77.0.128/25 10.0.0.0/8; do
		run nat up --subnet $subnet
		assert_failure 125
		assert_one_clear_line "is in use on va: choose another"
	done
	in_client ip route add 10.231.0.0/20 via $LAN_SERVER
	run nat up
	assert_success
	assert_output --partial "10.231.16.1/24"
	nat down
	run nat up --subnet 10.231.9.0/24
	assert_failure 125
	assert_one_clear_line "is in use on va"
	in_client ip route del 10.231.0.0/20
	for subnet in 10.231.0.0 10.231.0.0/31 224.0.0.0/24 127.0.0.0/8 elsewhere; do
		run nat up --subnet "$subnet"
		assert_failure 125
		assert_one_clear_line "$subnet is not an IPv4 subnet"
	done
}

@test "it changes nothing when something is missing, and says what" {
	machine >"$LAN_DIR/before"
	mkdir -p "$LAN_DIR/path"
	printf '#!/bin/sh\necho "no such thing as nat here" >&2\nexit 1\n' >"$LAN_DIR/path/nft"
	chmod +x "$LAN_DIR/path/nft"
	# The mount is that of this one command's namespace.
	run in_client sh -c 'mount --bind "$0" "$(PATH=$PATH:/usr/sbin command -v nft)" && exec "$@"' \
		"$LAN_DIR/path/nft" "$LAN_TEECEE" nat up
	assert_failure 125
	assert_one_clear_line "nat: nft: no such thing as nat here"
	machine >"$LAN_DIR/after"
	run diff "$LAN_DIR/before" "$LAN_DIR/after"
	assert_success
	in_client ip tuntap add teecee0 mode tap
	for verb in up down; do
		run nat $verb
		assert_failure 125
		assert_one_clear_line "a teecee0 that is not ours"
	done
	in_client ip link del teecee0
}

@test "another subnet or user needs down first" {
	nat up --subnet 10.99.0.0/24 --user nobody
	for other in "--subnet 10.98.0.0/24" "--user root"; do
		# shellcheck disable=SC2086 # words
		run nat up $other
		assert_failure 125
		assert_one_clear_line "another subnet or user"
	done
	run nat up --subnet 10.99.0.0/24 --user nobody
	assert_success
	run nat up --user nemo
	assert_failure 125
	assert_one_clear_line "there is no user nemo"
}

@test "its user needs no privilege at all, and others may not" {
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	nat up --user nobody
	run in_client setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all \
		"$LAN_DIR/bin/teecee" run -i teecee0 -- curl -sS "$LAN_URL/"
	assert_success
	assert_output --partial "You reached the web server"
	run in_client setpriv --reuid=daemon --regid=daemon --clear-groups --bounding-set=-all \
		"$LAN_DIR/bin/teecee" run -i teecee0 -- curl -sS "$LAN_URL/"
	assert_failure
	assert_output --partial "teecee0: the device belongs to another user"
}

@test "without root it says so" {
	[ "$(id -u)" = 0 ] || skip "only root can become somebody else"
	run in_client setpriv --reuid=nobody --regid=nogroup --clear-groups "$LAN_DIR/bin/teecee" nat up
	assert_failure 125
	assert_one_clear_line "nat up needs root"
	run in_client setpriv --reuid=nobody --regid=nogroup --clear-groups "$LAN_DIR/bin/teecee" nat status
	assert_failure 1
	assert_output "nat is not up"
}

@test "programs behind it end with an error when it goes" {
	nat up
	spawn slow in_client "$LAN_TEECEE" run -i teecee0 -- \
		curl -sS --limit-rate 1M --no-buffer -o "$LAN_DIR/part" "$LAN_URL/100m"
	wait_for 10 test -s "$LAN_DIR/part" # the server's "established" would come before curl's
	nat down
	finish 10 slow
	assert_equal "$status" 56
}
