#include "preload/local.h"

#include <stddef.h>
#include <sys/socket.h>

#include "preload/config.h"
#include "preload/engine.h"
#include "preload/instance.h"

struct endpoint local_target(uint16_t family, const struct endpoint *remote)
{
	static const struct ipaddr six = {{[15] = 1}};
	struct endpoint e = *remote;

	if (!ipaddr_is_any(&e.addr))
		return e;
	e.addr = family == AF_INET6 && !ipaddr_is_v4(&e.addr) ? six : ipaddr_v4(0x7f000001);
	return e;
}

/* A look at the table: no round trip. Without an engine nobody listens. */
static bool somebody_listens(uint16_t port)
{
	struct engine_link link;

	if (engine_get(false, &link) < 0)
		return false;
	const struct ipc_table *t = instance_table((unsigned)link.instance);
	return t && ipc_table_listens(t, port);
}

bool local_connect_is_kernels(const struct endpoint *remote)
{
	const struct settings *s = &config_get()->settings;

	if (settings_is_bypassed(s, &remote->addr))
		return true;
	if (!ipaddr_is_loopback(&remote->addr) || s->loopback == LOOPBACK_STACK)
		return false;
	return s->loopback == LOOPBACK_HOST || !somebody_listens(remote->port);
}

bool local_bind_is_kernels(const struct ipaddr *a)
{
	const struct settings *s = &config_get()->settings;

	return settings_is_bypassed(s, a) ||
	       (ipaddr_is_loopback(a) && s->loopback == LOOPBACK_HOST);
}
