/* Many buffers at once: readv, writev, preadv2, pwritev2, sendmmsg, recvmmsg, and their odd arguments. */
#include "tests/shim/say.h"

#include <sys/uio.h>

int main(int argc, char **argv)
{
	char a[4] = "abc", b[4] = "def", in[16];
	struct iovec out[2] = {{a, 3}, {b, 3}}, get[2] = {{in, 2}, {in + 2, 14}}, bad[1] = {{a, (size_t)-1}};
	struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
	volatile int many = 5000, negative = -1; /* the compiler must not know */
	int fd[2];

	make_pair(fd);
	say("writev", writev(fd[0], out, 2));
	await(fd[1], POLLIN);
	say("readv", readv(fd[1], get, 2));
	printf("%.6s\n", in);
	say("pwritev2", pwritev2(fd[0], out, 2, -1, 0));
	await(fd[1], POLLIN);
	say("preadv2", preadv2(fd[1], get, 2, -1, 0));
	say("preadv2 at 0", preadv2(fd[1], get, 2, 0, 0));
	say("pread", pread(fd[1], in, 1, 0));
	say("pwrite", pwrite(fd[1], in, 1, 0));
	say("no buffers", writev(fd[0], out, 0));
	say("too many", writev(fd[0], out, many));
	say("negative", readv(fd[1], get, negative));
	say("a negative length", writev(fd[0], bad, 1));
	say("sendmmsg", sendmmsg(fd[0], m, 2, 0));
	printf("%u %u\n", m[0].msg_len, m[1].msg_len);
	say_bytes("arrived", in, read_until(fd[1], in, 6));
	say("sendmmsg of none", sendmmsg(fd[0], m, 0, 0));
	say("recvmmsg, not waiting", recvmmsg(fd[1], m, 2, MSG_DONTWAIT, NULL));
	close_pair(fd);
	return 0;
}
