# make demo, for root and for anybody.

setup() { load common; }

# Once started in a private network of its own, once by somebody who is not root.
@test "the demo tells the conversation and proves its claims" {
	run env -u TEECEE_PRIVATE "$LAN_TOP/examples/demo"
	assert_success
	assert_line --regexp 'us +SYN +seq 0'
	assert_line --regexp 'server +SYN ACK +seq 0 +ack 1'
	assert_line --regexp 'GET / HTTP/1.1'
	assert_line --partial 'You reached the web server of a private LAN.'
	refute_output --partial '  NO   '
	refute_output --partial $'\033'
}

@test "the demo runs without root" {
	local top
	top=$(mktemp -d)
	cp -r "$LAN_TOP"/{build,examples,share,tests} "$top/"
	chmod -R a+rX "$top"
	if ! setpriv --reuid 65534 --regid 65534 --clear-groups unshare -Urnm true; then
		rm -rf "$top"
		skip "user namespaces are not allowed here"
	fi
	run setpriv --reuid 65534 --regid 65534 --clear-groups env -u TEECEE_PRIVATE TMPDIR=/tmp "$top/examples/demo"
	rm -rf "$top"
	assert_success
	refute_output --partial '  NO   '
}
