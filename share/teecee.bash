# teecee.bash: tests of network programs on a network that is broken on purpose. For bats, and for any bash script.
#
#	load /usr/local/share/teecee/teecee       # or where `make install` put it
#
#	setup_file()    { lan_up; server_start 8000 python3 -m http.server -b "$LAN_SERVER" 8000; }
#	teardown_file() { lan_down; }
#
#	@test "the client tries again after a reset" {
#		run with_teecee --impair reset@4KiB my-client "http://$LAN_SERVER:8000/file"
#		[ "$status" = 0 ]
#		assert_packet 'tcp.flags.reset == 1'
#	}
#
# THE LAN is two network namespaces and a cable between them; nothing of the machine's own network is touched, and
# nothing outside can be reached from it. Root may make it, and everybody else where user namespaces are allowed.
#
#	the client   10.77.0.1, the kernel's; programs under libteecee run here, from $LAN_CLIENT, 10.77.0.129
#	the server   $LAN_SERVER, 10.77.0.2: whatever the test starts there
#
# A PROGRAM under `with_teecee` has an engine of its own, and its packets are in $LAN_CAPTURE when it has ended: as our
# stack sent and received them, each with its comment: whose it was, and what impairment did to it. Frames that were
# lost on purpose are there as well, and say so (frame.comment contains "lost"). The assertions are about the last
# program. They take Wireshark's display filters (wireshark-filter(4)) and show the conversation when they fail.
#
# Needed: libteecee, iproute2, util-linux, and tshark for the assertions. lan_down ends all that was started. If it is
# never called, the LAN goes with the shell that called lan_up; so call that in setup or setup_file, not in a subshell.
#
#	lan_up                          makes the LAN
#	lan_down                        removes it; may be called twice
#	in_server COMMAND…              runs a command on the server
#	in_client COMMAND…              on the client, with the kernel's network
#	server_start PORT COMMAND…      starts a TCP server in the background, and waits until it listens on PORT;
#	                                what it prints is in $LAN_DIR/server-PORT.log
#	server_stop PORT                ends it
#	with_teecee [OPTION…] COMMAND…  runs a program; the options are those of teecee run, such as --impair
#	packets FILTER [FIELD…]         the packets that match, a line each: their numbers, or these fields
#	assert_packet FILTER [N]        at least one matches, or exactly N
#	refute_packet FILTER            none does
#	assert_retransmission           something was sent twice, by anybody
#	refute_retransmission           nothing was
#	wait_for SECONDS COMMAND…       until it succeeds; status 1 when the time is over first
#
# LAN_TEECEE names the command `teecee`, if it is neither where this file was installed or built nor in PATH.
# shellcheck shell=bash

LAN_SERVER=10.77.0.2
LAN_CLIENT=10.77.0.129

# wait_for SECONDS COMMAND…: see above. It naps by reading from a pipe that nobody writes to.
wait_for()
{
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000)) tick
	shift
	exec {tick}<> <(:)
	until "$@"; do
		if ((${EPOCHREALTIME/./} > end)); then
			exec {tick}>&-
			return 1
		fi
		read -r -t 0.02 -u "$tick" || true
	done
	exec {tick}>&-
}

lan_complain()
{
	printf 'teecee: %s\n' "$*" >&2
	return 1
}

lan_find_teecee()
{
	local here place
	[ -z "${LAN_TEECEE-}" ] || return 0
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
	for place in "$here/../build/teecee" "$here/../../bin/teecee" "$(command -v teecee)"; do
		[ -x "$place" ] || continue
		LAN_TEECEE=$(realpath "$place")
		return 0
	done
	lan_complain "the command teecee is not there; LAN_TEECEE may name it"
}

# lan_enter PID COMMAND…: in the namespaces of a process that holds them.
lan_enter()
{
	local pid=$1 user=()
	shift
	[ -z "${LAN_USER-}" ] || user=(--user --preserve-credentials)
	${LAN_EXEC-} nsenter --target "$pid" --net "${user[@]}" "$@"
}

in_client() { lan_enter "$LAN_CLIENT_PID" "$@"; }
in_server() { lan_enter "$LAN_SERVER_PID" "$@"; }

lan_net_of() { readlink "/proc/$1/ns/net" 2>/dev/null; }
lan_has_own_net() { [ "$(lan_net_of "$1")" != "$(lan_net_of "${2:-self}")" ]; }

# lan_hold COMMAND…: a process that does nothing but hold new namespaces, and dies with this shell. Its pid is $!.
# (Disowned, so that bash says nothing of its end.)
lan_hold()
{
	"$@" setpriv --pdeathsig KILL sleep 86400 >/dev/null 2>&1 </dev/null 3>&- 4>&- &
	disown
}

lan_up()
{
	local user=() holder
	lan_find_teecee || return 1
	LAN_USER=
	[ "$(id -u)" = 0 ] || LAN_USER=1
	[ -z "$LAN_USER" ] || user=(--user --map-root-user)
	lan_hold unshare "${user[@]}" --net
	LAN_CLIENT_PID=$!
	wait_for 5 lan_has_own_net "$LAN_CLIENT_PID" ||
		lan_complain "no network namespace: be root, or allow user namespaces" || return 1
	lan_hold lan_enter_and_hold "$LAN_CLIENT_PID"
	LAN_SERVER_PID=$!
	wait_for 5 lan_has_own_net "$LAN_SERVER_PID" &&
		wait_for 5 lan_has_own_net "$LAN_SERVER_PID" "$LAN_CLIENT_PID" ||
		lan_complain "no second network namespace" || return 1
	LAN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/teecee-lan.XXXXXX")
	LAN_CAPTURE=$LAN_DIR/capture.pcapng
	LAN_TRACE=$LAN_DIR/trace
	export LAN_DIR LAN_CAPTURE LAN_TRACE LAN_SERVER LAN_CLIENT LAN_TEECEE LAN_USER LAN_CLIENT_PID LAN_SERVER_PID
	for holder in "$LAN_CLIENT_PID" "$LAN_SERVER_PID"; do
		lan_enter "$holder" sh -c 'ip link set lo up
			cd /proc/sys/net/ipv6/conf && echo 1 >all/disable_ipv6 && echo 1 >default/disable_ipv6' \
			2>/dev/null
	done
	in_client ip link add lan0 type veth peer name lan0 netns "$LAN_SERVER_PID" &&
		in_client ip addr add 10.77.0.1/24 dev lan0 && in_server ip addr add $LAN_SERVER/24 dev lan0 &&
		in_client ip link set lan0 up && in_server ip link set lan0 up
}

# The second namespace, inside of the first one's user namespace; the process is replaced.
lan_enter_and_hold()
{
	local pid=$1
	shift
	LAN_EXEC="exec" lan_enter "$pid" unshare --net "$@"
}

# The processes of both namespaces; the holders are the last.
lan_processes()
{
	local dir net nets=" "
	for net in "$LAN_CLIENT_PID" "$LAN_SERVER_PID"; do
		nets+="$(lan_net_of "$net") "
	done
	for dir in /proc/[0-9]*; do
		net=$(lan_net_of "${dir#/proc/}") || continue
		case "$nets" in *" $net "*) [ "${dir#/proc/}" = $$ ] || echo "${dir#/proc/}" ;; esac
	done
}

lan_down()
{
	local pid
	[ -n "${LAN_DIR-}" ] || return 0
	for pid in $(lan_processes); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	wait_for 5 lan_is_gone "$LAN_CLIENT_PID" && wait_for 5 lan_is_gone "$LAN_SERVER_PID" || true
	rm -rf "$LAN_DIR"
	LAN_DIR=''
}

lan_listens() { [ -n "$(in_server ss -Hltn "sport = :$1")" ]; }
lan_is_gone() { ! kill -0 "$1" 2>/dev/null || [ "$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null)" = Z ]; }

server_start()
{
	local port=$1
	shift
	LAN_EXEC="exec" in_server "$@" >"$LAN_DIR/server-$port.log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$LAN_DIR/server-$port.pid"
	disown
	wait_for 10 lan_listens "$port" && return 0
	lan_complain "the server does not listen on port $port: $*" || cat "$LAN_DIR/server-$port.log" >&2
	return 1
}

server_stop()
{
	local pid
	pid=$(cat "$LAN_DIR/server-$1.pid")
	kill -TERM "$pid" 2>/dev/null
	wait_for 5 lan_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
}

# No connection of the last program is under way any more: what it was is in the capture.
lan_is_settled()
{
	! in_client "$LAN_TEECEE" ss | awk '$2 !~ /^(State|TIME-WAIT|UNCONN|LISTEN)$/ { busy = 1 } END { exit !busy }'
}

with_teecee()
{
	local status=0
	rm -f "$LAN_CAPTURE" "$LAN_TRACE"
	in_client "$LAN_TEECEE" run --fresh --iface lan0 --ip "$LAN_CLIENT/24" --pcap "$LAN_CAPTURE" \
		--trace "$LAN_TRACE" "$@" || status=$?
	wait_for 5 lan_is_settled || true
	return "$status"
}

packets()
{
	local filter=$1 fields=() field
	shift
	for field in "${@:-frame.number}"; do
		fields+=(-e "$field")
	done
	[ -e "$LAN_CAPTURE" ] || lan_complain "there is no capture: no program ran, or it spoke to nobody" || return 2
	tshark -r "$LAN_CAPTURE" -n -Y "$filter" -T fields "${fields[@]}" 2>"$LAN_DIR/tshark.log" ||
		lan_complain "tshark takes no \"$filter\": $(cat "$LAN_DIR/tshark.log")" || return 2
}

# lan_judge TEXT: the assertion that fails, and what there was instead.
lan_judge()
{
	printf '%s\n' "$1" "The conversation:" >&2
	tail -n 60 "$LAN_TRACE" >&2
	return 1
}

assert_packet()
{
	local found
	found=$(packets "$1") || return
	found=$(grep -c . <<<"$found")
	if [ $# -lt 2 ] && [ "$found" = 0 ]; then
		lan_judge "no packet matches \"$1\""
	elif [ $# -ge 2 ] && [ "$found" != "$2" ]; then
		lan_judge "$found packets match \"$1\", not $2"
	fi
}

refute_packet()
{
	local found
	found=$(packets "$1") || return
	[ -z "$found" ] || lan_judge "packets that match \"$1\": ${found//$'\n'/ }"
}

LAN_AGAIN='tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission'
assert_retransmission() { assert_packet "$LAN_AGAIN"; }
refute_retransmission() { refute_packet "$LAN_AGAIN"; }
