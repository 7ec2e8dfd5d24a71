#include "preload/names.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <nss.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/config.h"
#include "preload/dgram.h"
#include "preload/engine.h"
#include "preload/real.h"
#include "preload/sock.h"

enum {
	ENGINES_MAX = 3, /* asked one after the other: one may be leaving just now */
	NSSWITCH_LEN = 8192,
	SERVICES_LEN = 128,
	TIMEOUT_MAX_MS = 60000,
};

static struct names_glibc glibc;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The services of the hosts line; glibc's own default when there is none. */
static void read_hosts_line(char out[static NSSWITCH_LEN])
{
	static char text[NSSWITCH_LEN];
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "/etc/nsswitch.conf", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : syscall(SYS_read, fd, text, sizeof text - 1);
	char *rest = text;

	if (fd >= 0)
		raw_close(fd);
	text[n > 0 ? n : 0] = '\0';
	strcpy(out, "files dns");
	for (char *line; (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		line[strcspn(line, "#")] = '\0';
		if (strncmp(line, "hosts:", 6) == 0)
			strcpy(out, line + 6);
	}
}

/* What of it does not use the network; actions in brackets are about the services left out. */
static void split_services(char *line, char files[static SERVICES_LEN])
{
	static const char *const local[] = {"files", "db", "compat", "myhostname", "mymachines"};
	size_t used = 0;

	files[0] = '\0';
	for (char *word; (word = strsep(&line, " \t"));) {
		if (strcmp(word, "dns") == 0 || strcmp(word, "resolve") == 0) {
			glibc.dns_first |= !glibc.asks_dns && strcmp(word, "dns") == 0 && used == 0;
			glibc.asks_dns = true;
		}
		for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
			if (strcmp(word, local[i]) == 0 && used + strlen(word) + 2 < SERVICES_LEN)
				used += (size_t)sprintf(
					files + used, "%s%s", used ? " " : "", word);
		}
	}
	if (used == 0)
		strcpy(files, "files");
}

static void init(void)
{
	static char line[NSSWITCH_LEN];
	char files[SERVICES_LEN];

	config_get();
	glibc.getaddrinfo = (__typeof__(glibc.getaddrinfo))dlsym(RTLD_NEXT, "getaddrinfo");
	glibc.getnameinfo = (__typeof__(glibc.getnameinfo))dlsym(RTLD_NEXT, "getnameinfo");
	glibc.gethostbyname2_r =
		(__typeof__(glibc.gethostbyname2_r))dlsym(RTLD_NEXT, "gethostbyname2_r");
	glibc.gethostbyaddr_r =
		(__typeof__(glibc.gethostbyaddr_r))dlsym(RTLD_NEXT, "gethostbyaddr_r");
	read_hosts_line(line);
	split_services(line, files);
	__nss_configure_lookup("hosts", files);
}

const struct names_glibc *names_glibc(void)
{
	int saved_errno = errno;

	pthread_once(&once, init);
	errno = saved_errno;
	return &glibc;
}

/*
 * glibc looks at resolv.conf whenever one of its functions begins, and brings the thread's `_res`
 * up to date unless the program has changed it.
 */
struct __res_state *names_state(void)
{
	struct hostent host, *found;
	char buf[256];
	int ignored;

	names_glibc()->gethostbyname2_r(
		"127.0.0.1", AF_INET, &host, buf, sizeof buf, &found, &ignored);
	if (!(_res.options & RES_INIT))
		res_init();
	return &_res;
}

static void add_server(struct ipc_lookup *q, const struct endpoint *server)
{
	bool six = !ipaddr_is_v4(&server->addr) && ipaddr_is_loopback(&server->addr);

	if (q->nservers == SETTINGS_DNS_MAX)
		return;
	if (six || dgram_is_kernels(&server->addr))
		q->by_host |= (uint8_t)(1u << q->nservers);
	q->server[q->nservers++] = *server;
}

static void add_servers(struct ipc_lookup *q, const struct __res_state *state)
{
	const struct settings *s = &config_get()->settings;

	for (unsigned i = 0; i < s->ndns; i++)
		add_server(q, &s->dns[i]);
	for (int i = 0; i < state->nscount && i < MAXNS && s->ndns == 0; i++) {
		const struct sockaddr_in *four = &state->nsaddr_list[i];
		const struct sockaddr_in6 *six = state->_u._ext.nsaddrs[i];
		struct endpoint e = {.port = ntohs(four->sin_port)};

		if (four->sin_family == AF_INET) {
			/* 0.0.0.0 is this host's, as for the kernel. */
			uint32_t addr = ntohl(four->sin_addr.s_addr);
			e.addr = ipaddr_v4(addr ? addr : INADDR_LOOPBACK);
		} else if (six && six->sin6_family == AF_INET6) {
			memcpy(&e.addr, &six->sin6_addr, sizeof e.addr);
			e.port = ntohs(six->sin6_port);
		} else {
			continue;
		}
		add_server(q, &e);
	}
}

static void add_domains(struct ipc_lookup *q, const struct __res_state *state)
{
	size_t used = 0;

	if (!(state->options & RES_DNSRCH))
		return;
	for (int i = 0; i < MAXDNSRCH && state->dnsrch[i]; i++) {
		size_t len = strlen(state->dnsrch[i]) + 1;
		if (len == 1 || used + len + 1 >= sizeof q->domains)
			continue;
		memcpy(q->domains + used, state->dnsrch[i], len);
		used += len;
	}
}

void names_question_state(struct ipc_lookup *q, const struct __res_state *state)
{
	uint64_t timeout_ms = state->retrans > 0 ? (uint64_t)state->retrans * 1000 : 5000;

	q->timeout_ms = (uint32_t)(timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS);
	q->tries = (uint16_t)(state->retry > 0 ? state->retry : 1);
	q->ndots = (uint16_t)state->ndots;
	q->flags = (state->options & RES_USEVC ? IPC_LOOKUP_USE_TCP : 0u) |
		   (state->options & RES_USE_EDNS0 ? IPC_LOOKUP_EDNS : 0u) |
		   (state->options & RES_ROTATE ? IPC_LOOKUP_ROTATE : 0u) |
		   (state->options & RES_IGNTC ? IPC_LOOKUP_IGNORE_TC : 0u);
	add_servers(q, state);
	add_domains(q, state);
}

bool names_question(struct ipc_lookup *q, enum ipc_lookup_kind kind, const char *name)
{
	size_t len = strnlen(name, IPC_LOOKUP_NAME_LEN);

	*q = (struct ipc_lookup){.h = ipc_header(IPC_LOOKUP, sizeof *q), .kind = (uint16_t)kind};
	if (len == IPC_LOOKUP_NAME_LEN)
		return false;
	memcpy(q->name, name, len + 1);
	q->name_len = (uint16_t)len;
	return true;
}

/* One engine: the answer's length, 0: it went away, or -errno. */
static ssize_t ask_once(const struct ipc_lookup *q, struct ipc_answer *a)
{
	struct ipc_header h = ipc_header(IPC_LOOKUP, sizeof h);
	int pair[2];

	int r = raw_result(
		syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (r < 0)
		return r;
	ssize_t n = raw_send(pair[0], q, sizeof *q);
	r = n == sizeof *q ? engine_pass(&h, sizeof h, pair[1]) : -ENOBUFS;
	raw_close(pair[1]);
	struct pollfd p = {.fd = pair[0], .events = POLLIN};
	if (r == 0) {
		do
			n = raw_poll(&p, -1);
		while (n == -EINTR);
		n = n < 0 ? n : raw_recv(pair[0], a, sizeof *a + IPC_ANSWER_DATA_MAX);
	}
	raw_close(pair[0]);
	return r < 0 ? r : n == -ECONNRESET ? 0 : n;
}

int names_ask(const struct ipc_lookup *q, struct ipc_answer **out)
{
	struct ipc_answer *a = malloc(sizeof *a + IPC_ANSWER_DATA_MAX);
	ssize_t n = 0;

	*out = NULL;
	if (!a)
		return NETDB_INTERNAL;
	if (!shim_config_is_sound())
		n = -ENETDOWN;
	for (int i = 0; i < ENGINES_MAX && n == 0; i++)
		n = ask_once(q, a);
	bool good = n > 0 && ipc_answer_check(a, (size_t)n);
	int status = good ? a->status : n == -EMFILE || n == -ENFILE ? NETDB_INTERNAL : TRY_AGAIN;
	bool wants_message = q->kind >= IPC_LOOKUP_QUERY;
	if (status == TRY_AGAIN && n > 0)
		n = good && a->refused ? -ECONNREFUSED : -ETIMEDOUT;
	if (good && (status == 0 || wants_message)) {
		struct ipc_answer *fit = realloc(a, a->h.len);
		*out = fit ? fit : a;
	} else {
		free(a);
	}
	if (n < 0)
		errno = (int)-n;
	return status;
}

int names_forward(const char *name, int family, struct ipc_answer **out)
{
	struct in_addr numeric;
	struct ipc_lookup q;

	*out = NULL;
	if (!glibc.asks_dns || name[0] == '\0' || name[0] == '.' || inet_aton(name, &numeric))
		return HOST_NOT_FOUND;
	if (!names_question(&q, IPC_LOOKUP_FORWARD, name))
		return HOST_NOT_FOUND;
	q.family = (uint16_t)family;
	names_question_state(&q, names_state());
	return names_ask(&q, out);
}

int names_reverse(int family, const void *addr, struct ipc_answer **out)
{
	struct ipc_lookup q;
	struct in_addr four;

	*out = NULL;
	if (!glibc.asks_dns)
		return HOST_NOT_FOUND;
	names_question(&q, IPC_LOOKUP_REVERSE, "");
	if (family == AF_INET) {
		memcpy(&four, addr, sizeof four);
		q.addr = ipaddr_v4(ntohl(four.s_addr));
	} else {
		memcpy(&q.addr, addr, sizeof q.addr);
	}
	names_question_state(&q, names_state());
	return names_ask(&q, out);
}
