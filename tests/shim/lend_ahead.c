/*
 * Large writes to somebody who reads slowly or not at all: who writes waits, by all the ways there are to wait, and is
 * woken up. One thread only, for then the shim can wait inside a write (preload/lend.c).
 */
#include "tests/shim/say.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { SIZE = 65536, DATA = 24 << 20 };

static char data[DATA]; /* byte n of a stream is data[n] */
static int fd[2];       /* fd[0] writes, fd[1] is read */
static size_t at;       /* where the writer is */
static size_t got;      /* where the reader is */
static int alarms;

static void fill(void)
{
	uint32_t x = 3;

	for (size_t i = 0; i < DATA; i++)
		data[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
}

/* What there is, up to `most` bytes; false: the end. */
static bool read_some(size_t most)
{
	static char block[100000];
	ssize_t n = read(fd[1], block, most < sizeof(block) ? most : sizeof(block));

	if (n <= 0)
		return false;
	if (got + (size_t)n > DATA || memcmp(block, data + got, (size_t)n) != 0) {
		printf("something else, between byte %zu and %zu\n", got, got + (size_t)n);
		exit(1);
	}
	got += (size_t)n;
	return true;
}

static void begin(void)
{
	make_pair(fd);
	at = got = 0;
}

static void end(void)
{
	close_pair(fd);
}

/* A process that reads to the end, once a byte has come through `start`. */
static pid_t reader(int *start)
{
	int p[2];
	char c;

	fflush(stdout);
	if (pipe(p) < 0)
		exit(2);
	pid_t pid = fork();
	if (pid == 0) {
		close(fd[0]);
		close(p[1]);
		read(p[0], &c, 1);
		while (read_some(DATA))
			;
		_exit(got == DATA ? 0 : 1);
	}
	close(p[0]);
	*start = p[1];
	return pid;
}

static void reader_is_content(pid_t pid)
{
	int status = -1;

	shutdown(fd[0], SHUT_WR);
	waitpid(pid, &status, 0);
	say("the reader's status", status);
}

static void write_all(void)
{
	unsigned wrong = 0;

	for (size_t n = 300000; at < DATA; at += n) {
		n = DATA - at < n ? DATA - at : n;
		wrong += write(fd[0], data + at, n) != (ssize_t)n;
	}
	say("short writes", wrong);
}

static void who_waits_writes_it_all(void)
{
	int start;

	begin();
	pid_t pid = reader(&start);
	close(start);
	write_all();
	reader_is_content(pid);
	end();
}

static int start_later;

/* With the third one the reader begins. */
static void on_alarm(int sig)
{
	if (++alarms == 3)
		close(start_later);
}

static void alarm_every(int ms, int flags)
{
	struct sigaction a = {.sa_handler = on_alarm, .sa_flags = flags};
	struct itimerval t = {{0, ms * 1000}, {0, ms * 1000}};

	alarms = 0;
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* A write that a signal interrupts after a part of it is short: of what one call did not write, the next one does. */
static void a_call_that_is_restarted_goes_on(void)
{
	begin();
	pid_t pid = reader(&start_later);
	alarm_every(20, SA_RESTART);
	while (at < DATA) {
		ssize_t r = write(fd[0], data + at, DATA - at < SIZE ? DATA - at : SIZE);
		if (r < 0) {
			say("restarted", r);
			break;
		}
		at += (size_t)r;
	}
	alarm_every(0, 0);
	say("written", (long)at);
	reader_is_content(pid);
	end();
}

/* Until a write fails. */
static long write_on(void)
{
	ssize_t r;

	while ((r = write(fd[0], data + at, SIZE)) > 0)
		at += (size_t)r;
	return r;
}

static void a_signal_ends_the_waiting(void)
{
	begin();
	alarm_every(50, 0);
	say("with nobody who reads, a signal", write_on());
	alarm_every(0, 0);
	end();
}

static void on_alarm_reset(int sig)
{
	close(fd[1]);
}

/* The other end is closed, with all that it did not read, while a write waits. */
static void a_reset_ends_the_waiting(void)
{
	struct sigaction a = {.sa_handler = on_alarm_reset, .sa_flags = SA_RESTART};
	struct itimerval t = {{0, 0}, {0, 300000}};

	begin();
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	say("reset while it waited", write_on());
	signal(SIGPIPE, SIG_IGN);
	say("and again", write(fd[0], data, SIZE));
	close(fd[0]);
}

static void the_time_to_wait_ends(void)
{
	struct timeval t = {.tv_usec = 100000};

	begin();
	setsockopt(fd[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	say("with nobody who reads, SO_SNDTIMEO", write_on());
	end();
}

/* As write(2) to the kernel, past the shim. */
static long write_past(const void *bytes, size_t n)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(SYS_write), "D"(fd[0]), "S"(bytes), "d"(n)
			 : "rcx", "r11", "memory");
	return r;
#else
	return syscall(SYS_write, fd[0], bytes, n);
#endif
}

static bool is_writable_within(int ms)
{
	struct pollfd p = {.fd = fd[0], .events = POLLOUT};

	return poll(&p, 1, ms) > 0;
}

static void read_it_all(void)
{
	while (got < at && read_some(at - got))
		;
	say("read what was written", got == at);
}

/* After that who writes past the shim is told of room, too. */
static void without_waiting(void)
{
	begin();
	set_nonblocking(fd[0], true);
	write_on();
	while (is_writable_within(200))
		write_on();
	read_it_all();
	say("there is room", is_writable_within(WAIT_MS));
	for (int i = 0; i < 3; i++) {
		at += (size_t)write_past(data + at, 3000 << i);
		read_it_all();
		say("and again", is_writable_within(WAIT_MS));
	}
	end();
}

static void an_edge_comes_when_there_is_room(void)
{
	struct epoll_event ev = {.events = EPOLLOUT | EPOLLET};
	int start, waits = 0, ep = epoll_create1(EPOLL_CLOEXEC);

	begin();
	pid_t pid = reader(&start);
	set_nonblocking(fd[0], true);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &ev);
	close(start);
	while (at < DATA) {
		ssize_t r = write(fd[0], data + at, DATA - at < SIZE ? DATA - at : SIZE);
		if (r > 0) {
			at += (size_t)r;
			continue;
		}
		if (errno != EAGAIN || epoll_wait(ep, &ev, 1, WAIT_MS) != 1) {
			puts("waited in vain");
			break;
		}
		waits++;
	}
	printf("waited: %d\n", waits > 0);
	reader_is_content(pid);
	close(ep);
	end();
}

int main(int argc, char **argv)
{
	fill();
	who_waits_writes_it_all();
	a_call_that_is_restarted_goes_on();
	a_signal_ends_the_waiting();
	a_reset_ends_the_waiting();
	the_time_to_wait_ends();
	without_waiting();
	an_edge_comes_when_there_is_room();
	return 0;
}
