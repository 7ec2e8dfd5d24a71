# Programs that LD_PRELOAD does not reach: `teecee run` says so instead of letting them use the host's address.

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

setup() { load common; }

refuses()
{
	run in_client "$LAN_TEECEE" run -i va --ip "$LAN_FAKE/24" -- "$1"
	assert_failure 126
	assert_one_clear_line "$1 .*$2"
}

@test "a static program is refused" { refuses "$LAN_TOOLS/static_drain" 'statically linked'; }

@test "a program of Go's is refused, though it is linked dynamically" {
	refuses "$LAN_TOOLS/go_note" 'is a Go program'
}

@test "a setuid program of somebody else's is refused" {
	cp /bin/true "$LAN_DIR/setuid"
	chown 1 "$LAN_DIR/setuid"
	chmod 4755 "$LAN_DIR/setuid"
	refuses "$LAN_DIR/setuid" 'setuid'
}

@test "a script is refused for its interpreter" {
	printf '#!%s\n' "$LAN_TOOLS/static_drain" >"$LAN_DIR/script"
	chmod +x "$LAN_DIR/script"
	run in_client "$LAN_TEECEE" run -i va --ip "$LAN_FAKE/24" -- "$LAN_DIR/script"
	assert_failure 126
	assert_one_clear_line "static_drain .*statically linked"
}

@test "what can be preloaded runs" {
	run in_client "$LAN_TEECEE" run -i va --ip "$LAN_FAKE/24" -- /bin/echo it ran
	assert_success
	assert_output "it ran"
}
