# What a recipe of tests/compat is written with. A recipe is a file recipes/NAME:
#
#	about="what is exchanged and how it is checked"      the row in docs/compatibility.md
#	roles="client server both"                            which sides are run under the shim
#	limit="why it cannot work"                            only for programs out of reach: checks that they say so
#	serve() { … }                                         starts the server side: `start NAME on_server COMMAND…`
#	use() { … }                                           the client side, by `on_client COMMAND…`, and all checks
#
# The role decides what on_server and on_client mean: under the shim in one namespace, or plainly on the kernel
# in the other. Every command of a recipe must succeed (set -e). $SERVER and $CLIENT are the addresses of the
# role, $WORK is a directory of the run's own, readable for servers that become another user.
# shellcheck shell=bash disable=SC2034

FAKE2=10.77.0.130

# set_role ROLE: who is shimmed. `kernel` is nobody: the recipe itself is what is tested then.
set_role()
{
	case $1 in
	client) SERVER=$LAN_SERVER CLIENT=$LAN_FAKE SERVER_AT=plain_server CLIENT_AT=shim_client ;;
	server) SERVER=$LAN_FAKE CLIENT=$LAN_SERVER SERVER_AT=shim_client CLIENT_AT=plain_server ;;
	both) SERVER=$LAN_FAKE CLIENT=$FAKE2 SERVER_AT=shim_client CLIENT_AT=shim_server ;;
	kernel) SERVER=$LAN_KERNEL CLIENT=$LAN_SERVER SERVER_AT=plain_client CLIENT_AT=plain_server ;;
	esac
	SERVER_NS=client
	[ "$1" != client ] || SERVER_NS=server
}

# The address is fixed per namespace, the engine stays for as long as a recipe may take.
shim_client() { in_client env "${SHIM[@]}" TEECEE_IFACE=va TEECEE_IP=$LAN_FAKE/24 "$@"; }
shim_server() { in_server env "${SHIM[@]}" TEECEE_IFACE=vb TEECEE_IP=$FAKE2/24 "$@"; }
plain_client() { in_client "$@"; }
plain_server() { in_server "$@"; }
SHIM=(LD_PRELOAD="$LAN_LIB" TEECEE_IDLE=600 TEECEE_ENGINE="$LAN_DIR/bin/engine")
on_server() { $SERVER_AT "$@"; }
on_client() { $CLIENT_AT "$@"; }

# start NAME COMMAND…: in the background; its log is $LAN_DIR/NAME.log.
start() { spawn "$@"; }

# as USER: for programs that refuse to be root: on_server $(as postgres) COMMAND…
as() { echo setpriv --reuid="$1" --regid="$(id -gn "$1")" --clear-groups; }

# await_port PORT [SECONDS [ADDRESS]]
await_port()
{
	wait_for "${2:-15}" accepts "$1" "${3:-$SERVER}" && return
	echo "nobody listens on port $1" >&2
	return 1
}
accepts() { on_client bash -c "exec 3<>/dev/tcp/$2/$1" 2>/dev/null; }

# await SECONDS COMMAND…: as wait_for, and the failing command may be noisy.
await()
{
	local limit=$1
	shift
	wait_for "$limit" quietly "$@" || { echo "not within $limit s: $*" >&2 && return 1; }
}
quietly() { "$@" >"$LAN_DIR/quietly.log" 2>&1 </dev/null; }

# lacks REGEX FILE: no line matches; those that do are shown.
lacks()
{
	if grep -E -- "$1" "$2" >&2; then
		return 1
	fi
}

# refuses COMMAND…: teecee run must; what it says is in $WORK/said.
refuses()
{
	if in_client "$LAN_TEECEE" run -i va --ip "$LAN_FAKE/24" -- "$@" 2>"$WORK/said"; then
		echo "teecee run did not refuse $1" >&2
		return 1
	fi
}

noise() { "$LAN_TOOLS/noise" "$@"; }
same() { cmp "$1" "$2"; }

# says TEXT FILE: the file holds the text; else it is shown.
says()
{
	grep -qF -- "$1" "$2" && return 0
	echo "\"$1\" is not in $(basename "$2"): $(head -c 300 "$2" | tr '\n' ' ')" >&2
	return 1
}

figure() { echo "$*" >>"$WORK/figures"; }

# web [on_server|plain_server]: nginx as the server side, or as the unshimmed server behind a proxy that is the
# server side (at $LAN_SERVER then). Docroot $WORK/www with index.html and the file 1m; HTTP on 80 and, with HTTP/2,
# TLS on 443; who came is in $WORK/access.log.
web()
{
	local at=${1:-on_server} address=$SERVER
	[ "$at" = on_server ] || address=$LAN_SERVER
	mkdir -p "$WORK/www" "$WORK/tmp"
	noise 1048576 >"$WORK/www/1m"
	echo '<html><body><a href=1m>Hello from the page</a></body></html>' >"$WORK/www/index.html"
	certificate "$address"
	cat >"$WORK/nginx.conf" <<-CONF
		daemon off; ${WEB_MAIN-master_process off;} user root; pid $WORK/nginx.pid;
		events { worker_connections 1024; }
		http {
			log_format who '\$remote_addr \$server_protocol \$status \$request';
			access_log ${WEB_LOG-$WORK/access.log who};
			sendfile on; default_type text/html; keepalive_requests 1000000;
			client_body_temp_path $WORK/tmp/b; proxy_temp_path $WORK/tmp/p; fastcgi_temp_path $WORK/tmp/f;
			uwsgi_temp_path $WORK/tmp/u; scgi_temp_path $WORK/tmp/s;
			server {
				listen $address:80 backlog=1024; listen $address:443 ssl http2;
				root $WORK/www; ssl_protocols TLSv1.2 TLSv1.3;
				ssl_certificate $WORK/cert.pem; ssl_certificate_key $WORK/key.pem;
			}
		}
	CONF
	start nginx "$at" nginx -e "$WORK/nginx-error.log" -p "$WORK" -c "$WORK/nginx.conf"
	await_port 80 15 "$address"
}

# fetch [URL]: the file 1m by curl, compared.
fetch()
{
	on_client curl -sS --max-time 20 -o "$WORK/fetched" "${@:-http://$SERVER/1m}"
	same "$WORK/www/1m" "$WORK/fetched"
}

web_saw_client() { says "$CLIENT ${1-HTTP/1}" "$WORK/access.log"; }

certificate()
{
	local address=${1:-$SERVER}
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$address" -addext "subjectAltName=IP:$address" \
		-keyout "$WORK/key.pem" -out "$WORK/cert.pem" 2>"$WORK/openssl.log"
	cat "$WORK/key.pem" "$WORK/cert.pem" >"$WORK/both.pem"
	chmod 644 "$WORK"/*.pem
}
