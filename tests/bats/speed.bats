# Throughput through the pcap link, next to the kernel's own over the same cable.

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

@test "a download reaches 1.5 Gbit/s (best of 3)" {
	local ours kernel
	ours=$(for i in 1 2 3; do gbits with_teecee; done | sort -n | tail -n 1)
	kernel=$(gbits in_client)
	figure "1 GiB download: $ours Gbit/s, the kernel's own stack: $kernel Gbit/s"
	run awk -v x="$ours" 'BEGIN { exit !(x >= 1.5) }'
	assert_success
}
