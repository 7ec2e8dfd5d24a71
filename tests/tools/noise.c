/*
 * noise BYTES [SEED]: that many bytes of reproducible noise on stdout, fast (splitmix64), so that big test files
 * need not be kept anywhere.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 1 << 18 };

static uint64_t splitmix64(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static uint64_t block[BLOCK / 8];
	uint64_t left, state;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: noise BYTES [SEED]\n");
		return 2;
	}
	left = strtoull(argv[1], NULL, 10);
	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	while (left) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;
		int error;

		for (size_t i = 0; i < (n + 7) / 8; i++)
			block[i] = splitmix64(&state);
		error = write_all((const char *)block, n);
		if (error) {
			fprintf(stderr, "noise: %s\n", strerror(-error));
			return 1;
		}
		left -= n;
	}
	return 0;
}
