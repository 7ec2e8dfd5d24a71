# Throughput through the links, next to the kernel's own over the same cable.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 1g 1073741824
}

teardown_file()
{
	load common
	lan_down
}

setup() { load common; }

# Gbit/s of one download, by curl's own count.
gbits()
{
	"$@" curl -sS -o /dev/null -w '%{speed_download}\n' "$LAN_URL/1g" | awk '{ printf "%.2f\n", $1 * 8 / 1e9 }'
}

# download_reaches LINK GBITS: best of three, next to the kernel's own.
download_reaches()
{
	local ours kernel
	export TEECEE_LINK=$1
	kill_engines
	ours=$(for i in 1 2 3; do gbits with_teecee; done | sort -n | tail -n 1)
	kernel=$(gbits in_client)
	figure "1 GiB download, $1 link: $ours Gbit/s, the kernel's own stack: $kernel Gbit/s"
	run awk -v x="$ours" -v least="$2" 'BEGIN { exit !(x >= least) }'
	assert_success
}

@test "a download through the pcap link reaches 1.5 Gbit/s" { download_reaches pcap 1.5; }

@test "a download through the packet link reaches 2.5 Gbit/s" { download_reaches packet 2.5; }
