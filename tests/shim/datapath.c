/*
 * Reading, writing, polling, shutting and closing an established connection, between two getppid() as marks: `run`
 * also compares the system calls in between, which must be the program's own and no other.
 */
#include "tests/shim/say.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static void use(int fd)
{
	char buf[8];
	struct iovec iov = {.iov_base = buf, .iov_len = 2};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	long n = 0;

	syscall(SYS_getppid);
	n += write(fd, "ab", 2) + read_until(fd, buf, 2);
	n += send(fd, "ab", 2, 0) + recv(fd, buf, 2, MSG_WAITALL);
	n += sendto(fd, "ab", 2, 0, NULL, 0) + recvfrom(fd, buf, 2, MSG_WAITALL, NULL, NULL);
	n += writev(fd, &iov, 1) + recv(fd, buf, 2, MSG_WAITALL);
	n += sendmsg(fd, &msg, 0) + recvmsg(fd, &msg, MSG_WAITALL);
	n += poll(&p, 1, 0);
	n += shutdown(fd, SHUT_WR) + read(fd, buf, 1) + close(fd);
	syscall(SYS_getppid);
	printf("sum %ld\n", n);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	int fd = call_peer(argv, PEER_ECHO);

	use(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("connect", connect_in(fd, &a));
	await(fd, POLLOUT);
	say_error("connected", fd);
	set_nonblocking(fd, false);
	say("write", write(fd, PEER_ECHO, 1));
	use(fd);
	return 0;
}
