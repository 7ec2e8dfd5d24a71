/* ioctl(2) where an AF_UNIX socket answers otherwise than TCP. */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "core/ipc/unix_diag.h"
#include "preload/dgram.h"
#include "preload/ifaddr.h"
#include "preload/lend.h"
#include "preload/real.h"
#include "preload/sock.h"
#include "preload/usermem.h"

/*
 * What the peer has not acknowledged: first what the engine has not read, the residual byte
 * excepted, then what the table says. In this order bytes on their way from the one to the other
 * are counted twice rather than not at all.
 */
static int unsent(struct shim_sock *s)
{
	struct unix_diag us, engine = {0};
	uint32_t inode = s->known ? unix_diag_inode(s->fd) : 0;

	if (inode && unix_diag_ask(inode, &us) && us.peer)
		unix_diag_ask(us.peer, &engine);
	shim_refresh(s);
	return (int)(s->known ? s->info.unsent : 0) + (int)(engine.unread ? engine.unread - 1 : 0) +
	       (int)lend_unsent(s->cookie);
}

int shim_ioctl(struct shim_sock *s, unsigned long request, void *arg)
{
	bool listening = s->kind == SHIM_ENGAGED && s->known && s->info.tcp_state == STATE_LISTEN;
	int n;

	if (s->dgram && (request == FIONREAD || request == SIOCOUTQ || request == SIOCOUTQNSD))
		return dgram_ioctl(s, request, arg);
	switch (request) {
	case FIONREAD: /* of a listener it would count connections, in bytes */
		return listening ? -EINVAL : raw_result(real.ioctl(s->fd, request, arg));
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		n = unsent(s);
		return listening ? -EINVAL : user_write(arg, &n, sizeof n);
	default:
		return request >= SIOCADDRT && request <= SIOCDEVPRIVATE
			       ? ifaddr_ioctl(request, arg)
			       : raw_result(real.ioctl(s->fd, request, arg));
	}
}
