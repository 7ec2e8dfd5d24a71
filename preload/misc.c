/* ioctl(2) where an AF_UNIX socket answers otherwise than TCP. */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/real.h"
#include "preload/sock.h"
#include "preload/usermem.h"

/* The interface questions that only an inet socket is asked for. */
static int ask_inet(unsigned long request, void *arg)
{
	int fd = raw_result(syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return fd;
	int r = raw_result(syscall(SYS_ioctl, fd, request, arg));
	raw_close(fd);
	return r;
}

int shim_ioctl(struct shim_sock *s, unsigned long request, void *arg)
{
	bool listening = s->kind == SHIM_ENGAGED && s->known && s->info.tcp_state == STATE_LISTEN;
	int unsent;

	switch (request) {
	case FIONREAD: /* of a listener it would count connections, in bytes */
		return listening ? -EINVAL : raw_result(real.ioctl(s->fd, request, arg));
	case SIOCOUTQ:
	case SIOCOUTQNSD:
		/* What the peer has not acknowledged; the real socket would count its own overhead. */
		unsent = s->known ? (int)s->info.unsent : 0;
		return listening ? -EINVAL : user_write(arg, &unsent, sizeof unsent);
	default:
		return request >= SIOCADDRT && request <= SIOCDEVPRIVATE
			       ? ask_inet(request, arg)
			       : raw_result(real.ioctl(s->fd, request, arg));
	}
}
