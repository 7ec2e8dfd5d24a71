# What every bats file loads: assertions, the LAN, captures, and what a failing test leaves behind.
# shellcheck shell=bash disable=SC2154,SC2034

bats_load_library bats-support
bats_load_library bats-assert
. "${BASH_SOURCE[0]%/*}/lan.bash"
. "${BASH_SOURCE[0]%/*}/capture.bash"

# figure TEXT: a measured number for the person who reads the run.
figure() { echo "# figure: $*" >&3; }

# One line of the library's on stderr, and it says $1 (an extended regular expression).
assert_one_clear_line()
{
	local lines
	lines=$(grep -c '^teecee: ' <<<"$output")
	[ "$lines" = 1 ] || fail "$lines lines from teecee instead of one: $output"
	grep -Eq "^teecee: .*$1" <<<"$output" || fail "not said: $1; but: $output"
}

gone() { lan_is_gone "$1"; }

# finish SECONDS NAME: waits for what spawn started; its exit status in $status, its output in $output.
finish()
{
	local pid
	pid=$(cat "$LAN_DIR/$2.pid")
	wait_for "$1" gone "$pid" || fail "$2 has not ended within $1 s: $(cat "$LAN_DIR/$2.log")"
	status=0
	wait "$pid" || status=$?
	output=$(cat "$LAN_DIR/$2.log")
}

teardown()
{
	local dir
	[ -z "${BATS_TEST_COMPLETED-}" ] || return 0
	dir=$LAN_TOP/build/failed/$(basename "$BATS_TEST_FILENAME" .bats)-$BATS_TEST_NUMBER
	rm -rf "$dir"
	mkdir -p "$dir"
	cp "$LAN_DIR"/*.log "$LAN_DIR"/*.pcap "$dir/" 2>/dev/null || true
	echo "evidence: ${dir#"$LAN_TOP"/}"
	echo "again:    tests/run ${BATS_TEST_FILENAME#"$LAN_TOP"/} -f '$BATS_TEST_DESCRIPTION'"
}
