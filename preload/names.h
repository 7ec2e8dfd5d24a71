/*
 * Names. glibc's own resolver makes its sockets behind our back, so every call that may ask a DNS
 * server is taken over.
 *
 * WHO ANSWERS WHAT. glibc keeps what is not network: numeric addresses, services, flags and their
 * errors, /etc/hosts, the parsing of nsswitch.conf and resolv.conf, all as this program sees them.
 * For that the hosts database of this process is set to what nsswitch.conf says without its DNS
 * services: then glibc's functions answer from files alone. What they do not know is asked of the
 * engine, with the servers, search list and options of the thread's `_res`, which glibc keeps up to
 * date with resolv.conf and which a program may have changed. The engine's c-ares does the rest.
 *
 * "dns files" in nsswitch.conf asks the engine first; without dns or resolve nobody is ever asked.
 * Services that are neither (mdns, wins) would use the host's network by themselves: they are left
 * out.
 */
#ifndef TEECEE_PRELOAD_NAMES_H
#define TEECEE_PRELOAD_NAMES_H

#include <netdb.h>
#include <resolv.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/ipc/lookup.h"

/* glibc's functions, which answer from files from the first call of names_glibc on. */
struct names_glibc {
	int (*getaddrinfo)(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **out);
	int (*getnameinfo)(const struct sockaddr *addr, socklen_t len, char *host,
		socklen_t host_len, char *service, socklen_t service_len, int flags);
	int (*gethostbyname2_r)(const char *name, int family, struct hostent *host, char *buf,
		size_t len, struct hostent **out, int *h_error);
	int (*gethostbyaddr_r)(const void *addr, socklen_t addr_len, int family,
		struct hostent *host, char *buf, size_t len, struct hostent **out, int *h_error);
	bool asks_dns;  /* nsswitch.conf has dns or resolve */
	bool dns_first; /* before files */
};

const struct names_glibc *names_glibc(void);

/*
 * A question, filled with what the resolver state says; `kind` and the rest are the caller's.
 * False: the name is too long to be one.
 */
bool names_question(struct ipc_lookup *q, enum ipc_lookup_kind kind, const char *name);
void names_question_state(struct ipc_lookup *q, const struct __res_state *state);

/*
 * Asks the engine. 0 and the answer; or what h_errno would be (NETDB_INTERNAL: errno says more),
 * with the answer for questions about messages, else NULL. With TRY_AGAIN errno is ECONNREFUSED
 * when servers refused or failed, ETIMEDOUT when they were silent, as after glibc's own. Waits for
 * as long as it takes, and signals do not end it: as glibc's.
 */
int names_ask(const struct ipc_lookup *q, struct ipc_answer **out);

/* The two that glibc's functions need; `state` is the thread's. The caller frees *out. */
int names_forward(const char *name, int family, struct ipc_answer **out);
int names_reverse(int family, const void *addr, struct ipc_answer **out);

/*
 * names_addrinfo.c, names_host.c, names_res.c, names_async.c: results as those of the libc
 * functions.
 */
int names_getaddrinfo(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);
int names_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len,
	char *service, socklen_t service_len, int flags);
int names_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf,
	size_t len, struct hostent **out, int *h_error);
int names_gethostbyaddr_r(const void *addr, socklen_t addr_len, int family, struct hostent *host,
	char *buf, size_t len, struct hostent **out, int *h_error);
int names_message(struct __res_state *state, enum ipc_lookup_kind kind, const char *name, int class,
	int type, unsigned char *out, int len);
int names_message_of(struct __res_state *state, const unsigned char *query, int query_len,
	unsigned char *out, int len);
struct __res_state *names_state(void); /* the thread's, initialised */

int names_getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event);
int names_gai_suspend(const struct gaicb *const list[], int n, const struct timespec *timeout);
int names_gai_cancel(struct gaicb *request);

#endif
