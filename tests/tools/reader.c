/*
 * reader ADDRESS PORT PATH [PROGRAM]: asks for PATH by HTTP/1.0 and reads the answer through stdio until its end;
 * or, with PROGRAM, makes the connection that program's standard input and becomes it.
 *
 * Says how the stream ended: "N bytes, end" (status 0) or "N bytes, error: …" (status 1).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "reader: %s: %s\n", what, strerror(errno));
	return 2;
}

static int ask(const char *address, const char *port, const char *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	char request[512];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
		write(fd, request, (size_t)len) != len)
		return -1;
	return fd;
}

static int drain(FILE *f)
{
	char buf[4096];
	size_t n, total = 0;

	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		total += n;
	if (ferror(f)) {
		printf("%zu bytes, error: %s\n", total, strerror(errno));
		return 1;
	}
	printf("%zu bytes, end\n", total);
	return 0;
}

int main(int argc, char **argv)
{
	FILE *f;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: reader ADDRESS PORT PATH [PROGRAM]\n");
		return 2;
	}
	fd = ask(argv[1], argv[2], argv[3]);
	if (fd < 0)
		return fail("connect");
	if (argc > 4) {
		if (dup2(fd, STDIN_FILENO) < 0 || close(fd))
			return fail("dup2");
		execv(argv[4], argv + 4);
		return fail(argv[4]);
	}
	f = fdopen(fd, "r");
	return f ? drain(f) : fail("fdopen");
}
