# How a project tests its HTTP client against a broken network, with teecee.bash: `bats examples/bats` after `make`.
# curl and wget stand beside our own client, to show what they do.

setup_file()
{
	load ../../share/teecee # in your project: load /usr/local/share/teecee/teecee
	lan_up
	mkdir "$LAN_DIR/www"
	head -c 300000 /dev/urandom >"$LAN_DIR/www/file"
	server_start 80 python3 "$BATS_TEST_DIRNAME/ranges.py" "$LAN_SERVER" 80 "$LAN_DIR/www"
}

teardown_file()
{
	load ../../share/teecee
	lan_down
}

setup()
{
	load ../../share/teecee
	url=http://$LAN_SERVER/file
	got=$BATS_TEST_TMPDIR/got
}

fetch() { run with_teecee "$@" python3 "$BATS_TEST_DIRNAME/fetch.py" "$url" "$got"; }
is_whole() { cmp "$LAN_DIR/www/file" "$got"; }

@test "a good network: the file, in one connection" {
	fetch
	[ "$status" = 0 ]
	is_whole
	assert_packet 'tcp.flags.syn == 1 && tcp.flags.ack == 0' 1
	refute_packet 'tcp.flags.reset == 1'
}

@test "5 % loss: the file arrives whole" {
	fetch --impair loss=5% --seed 3
	[ "$status" = 0 ]
	is_whole
	assert_packet 'frame.comment contains "lost"'
	assert_retransmission
}

@test "a reset after 100 KiB: it goes on where it was" {
	fetch --impair reset@100KiB
	[ "$status" = 0 ]
	is_whole
	assert_packet 'tcp.flags.reset == 1'
	assert_packet 'http.request.line contains "Range: bytes=1"'
	[ "$(packets 'http.request' | wc -l)" -ge 3 ]
}

@test "a server that refuses: five tries, a message, no file" {
	fetch --impair reset@0s
	[ "$status" = 1 ]
	[ "$(grep -c '^fetch: try' <<<"$output")" = 5 ]
	[[ $output == *"Connection refused"* ]]
	refute_retransmission
	[ ! -e "$got" ] && [ ! -e "$got.part" ]
}

@test "a server that goes silent for a while: waited for" {
	fetch --impair 'blackhole@64KiB+1s'
	[ "$status" = 0 ]
	is_whole
	assert_retransmission
}

@test "curl resumes when told to; wget by itself" {
	run with_teecee --impair reset@200KiB curl -sS -o "$got" "$url"
	[ "$status" = 56 ]
	[ "$(stat -c %s "$got")" -lt 204800 ]
	run with_teecee curl -sS -C - -o "$got" "$url"
	[ "$status" = 0 ]
	is_whole
	rm "$got"
	run with_teecee --impair reset@200KiB wget -q --tries=3 --waitretry=1 -O "$got" "$url"
	[ "$status" = 0 ]
	is_whole
	assert_packet 'tcp.flags.syn == 1 && tcp.flags.ack == 0' 2
}

@test "whatever is lost, the file is whole or not there: twenty networks" {
	run in_client "$LAN_TEECEE" run -i lan0 --ip "$LAN_CLIENT/24" --impair 'delay=2ms loss=3%' --seed 1 \
		--repeat 20 --vary-seed --timeout 30 --keep "$BATS_TEST_TMPDIR/failed" -- \
		sh -c 'rm -f "$2"; python3 "$0/fetch.py" "$1" "$2" && cmp "$2" "$3"' \
		"$BATS_TEST_DIRNAME" "$url" "$got" "$LAN_DIR/www/file"
	echo "$output"
	[ "$status" = 0 ]
}
