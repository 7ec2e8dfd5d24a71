/* What makes a RST: SO_LINGER of zero, unread data at close; and how each call tells it. */
#include "tests/shim/say.h"

static void say_end(const char *what, int fd)
{
	char c;

	await(fd, POLLRDHUP);
	say_poll(what, fd);
	say("read", read(fd, &c, 1));
	say("read again", read(fd, &c, 1));
	say_error("later", fd);
	say("write", send(fd, "x", 1, MSG_NOSIGNAL));
}

int main(int argc, char **argv)
{
	struct linger l = {.l_onoff = 1};
	char c;
	int fd[2];

	make_pair(fd);
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	say_end("linger of zero", fd[0]);
	close(fd[0]);

	make_pair(fd);
	say("write", write(fd[0], "unread", 6));
	await(fd[1], POLLIN);
	close(fd[1]);
	say_end("unread data", fd[0]);
	close(fd[0]);

	make_pair(fd);
	say("write", write(fd[1], "last", 4));
	say("peek", recv(fd[0], &c, 1, MSG_PEEK));
	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	await(fd[0], POLLRDHUP);
	say_error("asked first", fd[0]);
	say_error("asked again", fd[0]);
	close(fd[0]);

	make_pair(fd);
	close(fd[1]);
	await(fd[0], POLLIN);
	say("into a closed one", send(fd[0], "x", 1, MSG_NOSIGNAL));
	await(fd[0], POLLERR | POLLHUP);
	say("then", send(fd[0], "x", 1, MSG_NOSIGNAL));
	close(fd[0]);
	return 0;
}
