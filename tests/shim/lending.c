/*
 * Large writes, which the shim lends to its engine (core/ipc/lend.h), between bytes that go other ways: what the other
 * end reads is checked byte for byte.
 */
#include "tests/shim/say.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <linux/seccomp.h>

enum { MOST = 1 << 20, DATA = 8 << 20 };

static char data[DATA]; /* byte n of a stream is data[n] */
static int fd[2];       /* fd[0] writes, fd[1] is read */
static size_t at;       /* where the writer is */

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < DATA; i++)
		data[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
}

static void *read_and_check(void *arg)
{
	static char block[100000];
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd[1], block, sizeof(block))) > 0) {
		if (got + (size_t)n > DATA || memcmp(block, data + got, (size_t)n) != 0) {
			printf("something else, between byte %zu and %zu\n", got, got + (size_t)n);
			exit(1);
		}
		got += (size_t)n;
	}
	printf("read %zu, then %s\n", got, n == 0 ? "the end" : strerrorname_np(errno));
	return NULL;
}

static pthread_t reader;

static void begin(void)
{
	make_pair(fd);
	at = 0;
	pthread_create(&reader, NULL, read_and_check, NULL);
}

static void end(void)
{
	close(fd[0]);
	pthread_join(reader, NULL);
	close(fd[1]);
}

/* Straight to the kernel, as a program does that this library does not see. */
static long past_the_shim(int f, const void *bytes, size_t n)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(SYS_write), "D"(f), "S"(bytes), "d"(n)
			 : "rcx", "r11", "memory");
	return r;
#else
	struct iovec v = {(void *)bytes, n};

	return writev(f, &v, 1);
#endif
}

static ssize_t write_some(unsigned how, size_t n)
{
	struct iovec two[2] = {{data + at, n / 3}, {data + at + n / 3, n - n / 3}};
	struct msghdr m = {.msg_iov = two, .msg_iovlen = 2};

	switch (how % 6) {
	case 0:
		return write(fd[0], data + at, n);
	case 1:
		return send(fd[0], data + at, n, MSG_NOSIGNAL | (n % 2 ? MSG_MORE : 0));
	case 2:
		return past_the_shim(fd[0], data + at, n);
	case 3:
		return writev(fd[0], two, 2);
	case 4:
		return sendmsg(fd[0], &m, 0);
	default:
		return sendto(fd[0], data + at, n, 0, NULL, 0);
	}
}

static void all_sizes_in_all_ways(void)
{
	static const size_t size[] = {
		1, 100, 16383, 16384, 16385, 65535, 65536, 65537, 131072, 200000, MOST};
	unsigned long wrong = 0;
	uint32_t x = 7;

	begin();
	while (at < DATA) {
		x = x * 1664525 + 1013904223;
		size_t n = size[(x >> 20) % (sizeof(size) / sizeof(size[0]))];
		if (n > DATA - at)
			n = DATA - at;
		ssize_t r = write_some(x >> 12 & 255, n);
		wrong += r != (ssize_t)n;
		at += r > 0 ? (size_t)r : n;
	}
	printf("short writes: %lu\n", wrong);
	end();
}

/* What it can take now, then what it takes when it says so. */
static void without_waiting(void)
{
	unsigned long waits = 0;

	begin();
	set_nonblocking(fd[0], true);
	while (at < DATA) {
		ssize_t r = write(fd[0], data + at, DATA - at < 300000 ? DATA - at : 300000);
		if (r < 0 && errno != EAGAIN)
			break;
		at += r > 0 ? (size_t)r : 0;
		if (r < 0) {
			waits++;
			await(fd[0], POLLOUT);
		}
	}
	printf("written %zu, waited less than for each KiB: %d\n", at, waits < at / 1024);
	end();
}

/* Each writes when the one before has: children by fork, and a child that dies of it. */
static void children(void)
{
	begin();
	for (int i = 0; i < 8; i++) {
		size_t n = 150000 + (size_t)i;
		pid_t child = fork();

		if (child == 0) {
			for (size_t done = 0; done < n; done += 50001) {
				size_t some = n - done < 50001 ? n - done : 50001;
				if (write(fd[0], data + at + done, some) != (ssize_t)some)
					_exit(1);
			}
			if (i % 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		int status = 0;
		waitpid(child, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status))
			printf("child %d failed\n", i);
		at += n;
		if (write(fd[0], data + at, 20000) != 20000)
			say("write", -1);
		at += 20000;
	}
	end();
}

/* In the strictest sandbox there are read, write and _exit. */
static void in_a_sandbox(void)
{
	begin();
	if (write(fd[0], data, 100000) != 100000)
		say("write", -1);
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
		ssize_t r = write(fd[0], data + 100000, 100000);
		syscall(SYS_exit, r == 100000 ? 0 : 1);
	}
	int status = 0;
	waitpid(child, &status, 0);
	printf("the child's status: %d\n", status);
	end();
}

/* The bytes are the connection's when the call returns: what becomes of the memory does not matter. */
static void memory_that_changes(void)
{
	char *block = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	begin();
	while (at < DATA / 2) {
		memcpy(block, data + at, 120000);
		if (write(fd[0], block, 120000) != 120000)
			say("write", -1);
		memset(block, 0, 120000);
		at += 120000;
	}
	end();
	make_pair(fd);
	mprotect(block, MOST, PROT_NONE);
	say("memory that cannot be read", write(fd[0], block, MOST));
	munmap(block, MOST);
	say("no memory", send(fd[0], block, MOST, 0));
	say("too much", write(fd[0], block, SSIZE_MAX));
	close_pair(fd);
}

static void *write_letters(void *arg)
{
	char *block = malloc(100000);

	memset(block, *(char *)arg, 100000);
	for (int i = 0; i < 50; i++)
		if (write(fd[0], block, 100000) != 100000)
			say("write", -1);
	free(block);
	return NULL;
}

/* Threads on one socket: of each letter, as many as were written. */
static void threads(void)
{
	static char block[100000], letter[4] = "abcd";
	long count[256] = {0};
	pthread_t t[4];
	ssize_t n;

	make_pair(fd);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, write_letters, &letter[i]);
	for (long left = 4 * 50 * 100000L; left > 0 && (n = read(fd[1], block, sizeof(block))) > 0;
		left -= n)
		for (ssize_t i = 0; i < n; i++)
			count[(unsigned char)block[i]]++;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("letters %ld %ld %ld %ld\n", count['a'], count['b'], count['c'], count['d']);
	close_pair(fd);
}

/* The other end is closed, with all that it did not read. */
static void a_reset(void)
{
	ssize_t r;

	signal(SIGPIPE, SIG_IGN);
	make_pair(fd);
	write(fd[0], data, 200000);
	await(fd[1], POLLIN);
	close(fd[1]);
	await(fd[0], POLLHUP);
	for (int i = 0; i < 100 && (r = write(fd[0], data, 100000)) >= 0; i++)
		await(fd[0], POLLIN);
	say("after the reset", r);
	say("and again", write(fd[0], data, 100000));
	close(fd[0]);
	/* Memory that it had lent serves others. */
	begin();
	while (at < DATA)
		at += (size_t)write(fd[0], data + at, DATA - at < 131072 ? DATA - at : 131072);
	end();
}

int main(int argc, char **argv)
{
	fill();
	all_sizes_in_all_ways();
	without_waiting();
	children();
	in_a_sandbox();
	memory_that_changes();
	threads();
	a_reset();
	return 0;
}
