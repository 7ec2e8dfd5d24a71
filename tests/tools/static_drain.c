/*
 * static_drain: reads standard input to its end. Linked statically: no preloaded library can help it or stand in
 * its way. Says how the stream ended, as reader does.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	static char buf[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		total += (size_t)n;
	if (n < 0) {
		printf("%zu bytes, error: %s\n", total, strerror(errno));
		return 1;
	}
	printf("%zu bytes, end\n", total);
	return 0;
}
