/*
 * Asks for names in every way that <netdb.h> and <resolv.h> have and prints what comes back: run over the kernel and
 * under the shim, it must print the same. The server of tests/bats/dns.bats knows the names.
 *
 *	lookups                     all of it
 *	lookups N THREADS           N names nI.load.test, of which nI has the address 10.(I >> 16).(I >> 8).I
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENTRIES_MAX = 64, MESSAGE_LEN = 65535 };

static const char *eai_name(int r)
{
	static char text[32];

	switch (r) {
	case 0:
		return "0";
	case EAI_NONAME:
		return "EAI_NONAME";
	case EAI_NODATA:
		return "EAI_NODATA";
	case EAI_AGAIN:
		return "EAI_AGAIN";
	case EAI_FAIL:
		return "EAI_FAIL";
	}
	snprintf(text, sizeof(text), "EAI %d", r);
	return text;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Sorted: servers turn the order of their records about. */
static void print_list(const struct addrinfo *list)
{
	char line[ENTRIES_MAX][128], host[64], port[16];
	int n = 0;

	for (const struct addrinfo *a = list; a && n < ENTRIES_MAX; a = a->ai_next) {
		getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV);
		snprintf(line[n++], sizeof(*line),
			"  %s %s family %d type %d protocol %d length %d", host, port, a->ai_family,
			a->ai_socktype, a->ai_protocol, (int)a->ai_addrlen);
	}
	qsort(line, (size_t)n, sizeof(*line), by_text);
	for (int i = 0; i < n; i++)
		puts(line[i]);
}

static void ask_hints(const char *node, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *list = NULL;
	int r = getaddrinfo(node, service, hints, &list);

	printf("getaddrinfo %s %s", node ? node : "NULL", service ? service : "NULL");
	if (hints)
		printf(" family %d type %d flags %#x", hints->ai_family, hints->ai_socktype,
			(unsigned)hints->ai_flags);
	printf(": %s\n", eai_name(r));
	if (r == 0) {
		if (list->ai_canonname)
			printf("  canonical %s\n", list->ai_canonname);
		print_list(list);
		freeaddrinfo(list);
	}
}

static void ask(const char *node, const char *service, int family, int type, int flags)
{
	struct addrinfo hints = {.ai_family = family, .ai_socktype = type, .ai_flags = flags};

	ask_hints(node, service, &hints);
}

static void addresses(void)
{
	static const char *const names[] = {"one.test", "one", "six.test", "both.test", "many.test",
		"nowhere.test", "one.test.", "nowhere", "fromfile", "fromfile.alias", "refused.org",
		"10.1.2.3", "10.1", "::1", "2001:db8::1", "localhost", "", "a..b", "empty.test",
		"-dash.test", "under_score.test", "255.255.255.256"};
	static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (int f = 0; f < 3; f++)
			ask(names[i], "80", families[f], SOCK_STREAM, 0);
		ask_hints(names[i], NULL, NULL);
	}
	/* AAAA of these is "no such name" for glibc, where c-ares says "no such data". */
	for (int f = 0; f < 2; f++) {
		ask("alias.test", "80", families[f], SOCK_STREAM, 0);
		ask("deep.sub", "80", families[f], SOCK_STREAM, 0);
	}
}

static void flags(void)
{
	ask("one.test", "http", AF_UNSPEC, 0, 0);
	ask("one.test", "http", AF_UNSPEC, SOCK_DGRAM, 0);
	ask("one.test", "nonsense", AF_UNSPEC, SOCK_STREAM, 0);
	ask("one.test", "http", AF_UNSPEC, SOCK_STREAM, AI_NUMERICSERV);
	ask("one.test", "80", AF_UNSPEC, SOCK_STREAM, AI_NUMERICHOST);
	ask("one.test", "80", AF_UNSPEC, SOCK_RAW, 0);
	ask("one.test", NULL, AF_UNSPEC, SOCK_RAW, 0);
	ask("one.test", NULL, AF_UNSPEC, 77, 0);
	ask("one.test", NULL, 77, SOCK_STREAM, 0);
	ask("one.test", NULL, AF_UNSPEC, SOCK_STREAM, 0x40000000);
	ask("one.test", "80", AF_UNSPEC, SOCK_STREAM, AI_CANONNAME);
	ask("alias.test", "80", AF_UNSPEC, SOCK_STREAM, AI_CANONNAME);
	ask("one", "80", AF_INET, SOCK_STREAM, AI_CANONNAME);
	ask("10.1.2.3", "80", AF_INET, SOCK_STREAM, AI_CANONNAME);
	ask("fromfile.alias", "80", AF_INET, SOCK_STREAM, AI_CANONNAME);
	ask(NULL, "80", AF_INET, SOCK_STREAM, AI_CANONNAME);
	ask(NULL, "80", AF_UNSPEC, SOCK_STREAM, 0);
	ask(NULL, "80", AF_UNSPEC, SOCK_STREAM, AI_PASSIVE);
	ask(NULL, NULL, AF_UNSPEC, SOCK_STREAM, 0);
	ask("one.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
	ask("both.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
	ask("both.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED | AI_ALL);
	ask("10.1.2.3", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
	ask("10.1.2.3", "80", AF_INET6, SOCK_STREAM, 0);
	ask("both.test", "80", AF_UNSPEC, SOCK_STREAM, AI_ADDRCONFIG);
	ask("both.test", "80", AF_INET6, SOCK_STREAM, AI_ADDRCONFIG);
	ask("both.test", "80", AF_INET, SOCK_STREAM, AI_ADDRCONFIG);
}

static const char *h_name(int e)
{
	static const char *const name[] = {
		"0", "HOST_NOT_FOUND", "TRY_AGAIN", "NO_RECOVERY", "NO_DATA"};

	return e >= 0 && e <= NO_DATA ? name[e] : "NETDB_INTERNAL";
}

static void print_host(const char *what, const char *name, const struct hostent *h)
{
	char lines[ENTRIES_MAX][64];
	int n = 0;

	printf("%s %s: %s\n", what, name, h ? h->h_name : h_name(h_errno));
	if (!h)
		return;
	printf("  family %d length %d\n", h->h_addrtype, h->h_length);
	for (char **a = h->h_aliases; *a; a++)
		printf("  alias %s\n", *a);
	for (char **a = h->h_addr_list; *a && n < ENTRIES_MAX; a++)
		inet_ntop(h->h_addrtype, *a, lines[n++], sizeof(*lines));
	qsort(lines, (size_t)n, sizeof(*lines), by_text);
	for (int i = 0; i < n; i++)
		printf("  %s\n", lines[i]);
}

static void reentrant(const char *name, size_t len)
{
	struct hostent h, *found = NULL;
	char buf[4096];
	int error = 0;
	int r = gethostbyname_r(name, &h, buf, len, &found, &error);

	printf("gethostbyname_r %s in %zu: %s %s\n", name, len, r ? strerrorname_np(r) : "0",
		found ? found->h_name : h_name(error));
}

static void hosts(void)
{
	static const char *const names[] = {"one.test", "one", "alias.test", "six.test",
		"nowhere.test", "fromfile", "10.1.2.3", "refused.org", "many.test"};
	struct in_addr four;
	struct in6_addr six;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		print_host("gethostbyname", names[i], gethostbyname(names[i]));
		if (strcmp(names[i], "alias.test") != 0)
			print_host("gethostbyname2", names[i], gethostbyname2(names[i], AF_INET6));
		reentrant(names[i], 4096);
	}
	reentrant("many.test", 40);
	inet_pton(AF_INET, "10.77.0.2", &four);
	print_host("gethostbyaddr", "10.77.0.2", gethostbyaddr(&four, 4, AF_INET));
	inet_pton(AF_INET, "10.99.99.99", &four);
	print_host("gethostbyaddr", "10.99.99.99", gethostbyaddr(&four, 4, AF_INET));
	inet_pton(AF_INET, "192.0.2.44", &four);
	print_host("gethostbyaddr", "192.0.2.44", gethostbyaddr(&four, 4, AF_INET));
	inet_pton(AF_INET6, "2001:db8::6", &six);
	print_host("gethostbyaddr", "2001:db8::6", gethostbyaddr(&six, 16, AF_INET6));
}

static void name_of(const char *text, socklen_t host_len, int flags)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
	char host[NI_MAXHOST] = "", service[NI_MAXSERV] = "";

	inet_pton(AF_INET, text, &a.sin_addr);
	int r = getnameinfo(
		(struct sockaddr *)&a, sizeof(a), host, host_len, service, sizeof(service), flags);
	printf("getnameinfo %s %d flags %#x: %s %s %s\n", text, (int)host_len, (unsigned)flags,
		eai_name(r), r ? "" : host, r ? "" : service);
}

static void reverse(void)
{
	static const char *const addresses[] = {
		"10.77.0.2", "10.99.99.99", "192.0.2.44", "198.51.100.1"};
	static const int flag[] = {0, NI_NUMERICHOST, NI_NAMEREQD, NI_NUMERICSERV, NI_DGRAM,
		NI_NOFQDN, NI_NUMERICHOST | NI_NAMEREQD};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		for (size_t f = 0; f < sizeof(flag) / sizeof(*flag); f++)
			name_of(addresses[i], NI_MAXHOST, flag[f]);
	}
	name_of("10.77.0.2", 3, 0);
	name_of("10.77.0.2", 0, 0);
}

/* The message's figures: identities and times differ. */
static void message(const char *what, const char *name, const unsigned char *m, int n)
{
	HEADER h;

	if (n < (int)sizeof(h)) {
		printf("%s %s: %s\n", what, name, n < 0 ? h_name(h_errno) : "no message");
		return;
	}
	memcpy(&h, m, sizeof(h));
	printf("%s %s: %d bytes, rcode %u, %d answers, truncated %u\n", what, name, n, h.rcode,
		ntohs(h.ancount), h.tc);
}

static void messages(void)
{
	static unsigned char m[MESSAGE_LEN];
	static const char *const names[] = {
		"one.test", "one", "alias.test", "nowhere.test", "big.test", "refused.org"};
	unsigned char query[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *n = names[i];

		message("res_query A", n, m, res_query(n, ns_c_in, ns_t_a, m, sizeof(m)));
		message("res_search A", n, m, res_search(n, ns_c_in, ns_t_a, m, sizeof(m)));
		message("res_search TXT", n, m, res_search(n, ns_c_in, ns_t_txt, m, sizeof(m)));
		message("res_nquery MX", n, m,
			res_nquery(&_res, n, ns_c_in, ns_t_mx, m, sizeof(m)));
		message("res_nsearch AAAA", n, m,
			res_nsearch(&_res, n, ns_c_in, ns_t_aaaa, m, sizeof(m)));
	}
	message("res_querydomain", "one", m,
		res_querydomain("one", "test", ns_c_in, ns_t_a, m, sizeof(m)));
	int len = res_mkquery(
		ns_o_query, "one.test", ns_c_in, ns_t_a, NULL, 0, NULL, query, sizeof(query));
	message("res_send", "one.test", m, res_send(query, len, m, sizeof(m)));
}

static void asynchronous(void)
{
	struct gaicb a = {.ar_name = "one.test", .ar_service = "80"},
		     b = {.ar_name = "nowhere.test"};
	struct gaicb c = {.ar_name = "10.1.2.3"}, *list[] = {&a, NULL, &b, &c};
	const struct gaicb *const waiting[] = {&a, &b};
	struct timespec limit = {.tv_sec = 10};
	struct gaicb d = {.ar_name = "many.test"}, *later[] = {&d};

	printf("getaddrinfo_a wait: %s\n", eai_name(getaddrinfo_a(GAI_WAIT, list, 4, NULL)));
	printf("  %s %s %s\n", eai_name(gai_error(&a)),
		gai_error(&b) == EAI_NONAME ? "EAI_NONAME" : "other",
		gai_error(&c) == 0 ? "0" : "other");
	if (gai_error(&a) == 0)
		print_list(a.ar_result);
	printf("gai_suspend done: %d\n", gai_suspend(waiting, 2, &limit));
	printf("gai_cancel done: %d\n", gai_cancel(&a) == EAI_ALLDONE);
	printf("getaddrinfo_a: %s\n", eai_name(getaddrinfo_a(GAI_NOWAIT, later, 1, NULL)));
	while (gai_error(&d) == EAI_INPROGRESS)
		gai_suspend((const struct gaicb *const *)later, 1, &limit);
	printf("  %s\n", eai_name(gai_error(&d)));
	if (gai_error(&d) == 0)
		print_list(d.ar_result);
	bool refused = getaddrinfo_a(7, later, 1, NULL) == EAI_SYSTEM;
	printf("getaddrinfo_a mode 7: %s\n", refused ? strerrorname_np(errno) : "?");
}

static atomic_int next_name, wrong, right;
static int name_count;

static void *load(void *arg)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	char name[64];
	int i;

	while ((i = atomic_fetch_add(&next_name, 1)) < name_count) {
		in_addr_t expected = htonl(0x0a000000u + (unsigned)i);

		snprintf(name, sizeof(name), "n%d.load.test", i);
		int r = getaddrinfo(name, NULL, &hints, &list);
		bool good =
			r == 0 && !list->ai_next &&
			((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr.s_addr == expected;
		if (!good)
			fprintf(stderr, "%s: %s\n", name, r ? gai_strerror(r) : "a wrong address");
		atomic_fetch_add(good ? &right : &wrong, 1);
		if (r == 0)
			freeaddrinfo(list);
	}
	return arg;
}

static int run_load(int n, int threads)
{
	pthread_t *thread = calloc((size_t)threads, sizeof(*thread));
	pthread_attr_t attr;

	if (!thread)
		return 2;
	name_count = n;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&thread[i], &attr, load, NULL))
			return 2;
	}
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("%d right, %d wrong\n", right, wrong);
	free(thread);
	return wrong || right != n;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return run_load(atoi(argv[1]), atoi(argv[2]));
	addresses();
	flags();
	hosts();
	reverse();
	messages();
	asynchronous();
	return 0;
}
