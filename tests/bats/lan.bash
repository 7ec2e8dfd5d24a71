# A private LAN for tests and the demo, sourced by both: two network namespaces joined by a veth pair.
#
#	client   va   kernel's address 10.77.0.1/24; programs under the shim run here, from $LAN_FAKE (10.77.0.129)
#	server   vb   10.77.0.2/24; web servers and other peers, and the capture
#
# It works only inside tests/tools/private, which gives each run its own names and takes everything down at
# its end; nothing here can reach the machine's own network. Every wait has a limit.
# shellcheck shell=bash disable=SC2034

LAN_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAN_LIB=$LAN_TOP/build/libteecee.so
LAN_TEECEE=$LAN_TOP/build/teecee
LAN_TOOLS=$LAN_TOP/build/tests/tools
LAN_KERNEL=10.77.0.1
LAN_FAKE=10.77.0.129
LAN_URL=http://10.77.0.2

. "$LAN_TOP/share/teecee.bash" # wait_for, and LAN_SERVER; what has the same name here is another

in_client() { ${LAN_EXEC-} ip netns exec client "$@"; }
in_server() { ${LAN_EXEC-} ip netns exec server "$@"; }

# set_sysctl NAMESPACE NAME VALUE: the name with slashes.
set_sysctl() { ip netns exec "$1" sh -c 'echo "$1" >"/proc/sys/$0"' "$2" "$3"; }

# lan_host NAMESPACE DEVICE ADDRESS. Its kernel controls congestion by CUBIC, whatever the machine has chosen for
# itself: so do we, unless told, and stacks are compared here.
lan_host()
{
	ip -n "$1" addr add "$3/24" dev "$2"
	ip -n "$1" link set "$2" up
	ip -n "$1" route replace "${3%.*}.0/24" dev "$2" proto kernel scope link src "$3" congctl cubic
}

lan_up()
{
	if [ -z "${TEECEE_PRIVATE-}" ]; then
		echo "teecee: the test LAN exists only inside tests/tools/private; use tests/run" >&2
		return 1
	fi
	unset "${!TEECEE_@}"
	export TEECEE_PRIVATE=1
	LAN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/teecee-lan.XXXXXX")
	export LAN_DIR
	: >"$LAN_DIR/pids"
	ip netns add client
	ip netns add server
	ip link add va netns client type veth peer name vb netns server
	local ns
	for ns in client server; do
		set_sysctl "$ns" net/ipv6/conf/all/disable_ipv6 1
		set_sysctl "$ns" net/ipv6/conf/default/disable_ipv6 1
		ip -n "$ns" link set lo up
	done
	lan_host client va $LAN_KERNEL
	lan_host server vb $LAN_SERVER
}

wire_is_gone() { ! kill -0 "$(cat "$LAN_DIR/wire.pid")" 2>/dev/null; }

# lan_wire [OPTION…] [SPEC]: puts tests/tools/wire (its options, its spec; "out" is from the client) between the
# two hosts, in a namespace of its own, or exchanges the one that is there. It runs for ten minutes at most.
lan_wire()
{
	if [ -e "$LAN_DIR/wire.pid" ]; then
		kill -TERM "$(cat "$LAN_DIR/wire.pid")"
		wait_for 5 wire_is_gone
	else
		ip netns add cable
		set_sysctl cable net/ipv6/conf/default/disable_ipv6 1
		ip -n client link del va
		ip link add va netns client type veth peer name wa netns cable
		ip link add vb netns server type veth peer name wb netns cable
		lan_host client va $LAN_KERNEL
		lan_host server vb $LAN_SERVER
		ip -n cable link set wa up
		ip -n cable link set wb up
	fi
	local spec=()
	[ $# -eq 0 ] || case ${!#} in *=*) spec=("${!#}") && set -- "${@:1:$#-1}" ;; esac
	spawn wire ip netns exec cable "$LAN_TOOLS/wire" "$@" wa wb "${spec[@]}"
	wait_for 10 grep -q joined "$LAN_DIR/wire.log" || { cat "$LAN_DIR/wire.log" >&2 && return 1; }
}

# Ends what runs in the LAN, by pid, and removes it. Safe to call twice.
lan_down()
{
	local ns pids
	[ -n "${LAN_DIR-}" ] || return 0
	for ns in $(ip netns list | awk '{ print $1 }'); do
		pids=$(ip netns pids "$ns")
		# shellcheck disable=SC2086 # a list
		[ -z "$pids" ] || { kill -KILL $pids && wait $pids; } 2>/dev/null || true
		ip netns del "$ns"
	done
	rm -rf "$LAN_DIR"
	LAN_DIR=
}

# spawn NAME COMMAND…: in the background, output in $LAN_DIR/NAME.log, its pid in $LAN_DIR/NAME.pid. The functions
# above then become the command, so that the pid is its own.
spawn()
{
	local name=$1
	shift
	LAN_EXEC="exec" "$@" >"$LAN_DIR/$name.log" 2>&1 </dev/null 3>&- 4>&- &
	echo $! >"$LAN_DIR/$name.pid"
}

# The engine's pid in the client namespace; fails when there is none (or, saying so, more than one).
engine_pid()
{
	local pid found=()
	for pid in $(ip netns pids client); do
		case $(readlink "/proc/$pid/exe") in */teecee-engine*) found+=("$pid") ;; esac
	done
	[ ${#found[@]} -eq 1 ] || return 1
	echo "${found[0]}"
}

no_engine() { ! engine_pid >/dev/null; }

# One that dies has lost its name in /proc a moment before it gives up the name of its address.
no_address() { ! ip netns exec client grep -q '@teecee-address/' /proc/net/unix; }

# Ends every engine of the client namespace at once, as a crash would.
kill_engines()
{
	local pid
	for pid in $(ip netns pids client); do
		case $(readlink "/proc/$pid/exe") in */teecee-engine*) kill -KILL "$pid" || true ;; esac
	done
	wait_for 5 no_engine
	wait_for 5 no_address
}

# with_teecee COMMAND…: in the client namespace, from $LAN_FAKE unless TEECEE_IP says otherwise.
with_teecee()
{
	in_client env LD_PRELOAD="$LAN_LIB" TEECEE_IFACE="${TEECEE_IFACE-va}" \
		TEECEE_IP="${TEECEE_IP-$LAN_FAKE/24}" ${LAN_ENGINE:+TEECEE_ENGINE="$LAN_ENGINE"} "$@"
}

listening() { [ -n "$(ip netns exec "$1" ss -Hltn "sport = :$2")" ]; }

# nginx in the server namespace on port 80, everything of it under $LAN_DIR.
nginx_up()
{
	local root=$LAN_DIR/www
	mkdir -p "$root" "$LAN_DIR/nginx"
	cat >"$LAN_DIR/nginx.conf" <<-CONF
		daemon off; master_process off; user root;
		pid $LAN_DIR/nginx/pid; error_log $LAN_DIR/nginx/error.log;
		events { worker_connections 1024; }
		http {
			access_log off; sendfile on; tcp_nopush on; keepalive_timeout 60; keepalive_requests 100000;
			default_type text/html;
			client_body_temp_path $LAN_DIR/nginx/body; proxy_temp_path $LAN_DIR/nginx/proxy;
			fastcgi_temp_path $LAN_DIR/nginx/f; uwsgi_temp_path $LAN_DIR/nginx/u;
			scgi_temp_path $LAN_DIR/nginx/s;
			server { listen $LAN_SERVER:80 backlog=1024; root $root; }
		}
	CONF
	cat >"$root/index.html" <<-PAGE
		<html><head><title>Hello</title></head>
		<body>You reached the web server of a private LAN.</body></html>
	PAGE
	spawn nginx in_server nginx -e "$LAN_DIR/nginx/error.log" -p "$LAN_DIR/nginx" -c "$LAN_DIR/nginx.conf"
	if ! wait_for 10 listening server 80; then
		cat "$LAN_DIR/nginx.log" "$LAN_DIR/nginx/error.log" >&2
		return 1
	fi
}

# docroot_file NAME BYTES: a file of reproducible noise in the docroot; its SHA-256 is printed.
docroot_file()
{
	"$LAN_TOOLS/noise" "$2" >"$LAN_DIR/www/$1"
	sha256 "$LAN_DIR/www/$1"
}

sha256() { sha256sum "$@" | cut -d ' ' -f 1; }

# The misbehaving peer (tests/tools/peer.py) in the server namespace, port 8000; what it sees is in its log.
peer_up()
{
	spawn peer in_server /usr/bin/python3 "$LAN_TOP/tests/tools/peer.py" $LAN_SERVER 8000
	wait_for 10 listening server 8000 || { cat "$LAN_DIR/peer.log" >&2 && return 1; }
}

peer_said() { grep -q -- "$1" "$LAN_DIR/peer.log"; }
