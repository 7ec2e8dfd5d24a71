/* splice, sendfile and tee-like calls between pipes, files and connections. */
#include "tests/shim/say.h"

#include <sys/sendfile.h>

int main(int argc, char **argv)
{
	char buf[16];
	int fd[2], ends[2], fresh = socket(AF_INET, SOCK_STREAM, 0);
	FILE *file = tmpfile();

	signal(SIGPIPE, SIG_IGN);
	make_pair(fd);
	say("pipe", pipe(ends));
	say("into the pipe", write(ends[1], "spliced", 7));
	say("pipe to socket", splice(ends[0], NULL, fd[0], NULL, 7, 0));
	await(fd[1], POLLIN);
	say("socket to pipe", splice(fd[1], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK));
	say_bytes("through", buf, read(ends[0], buf, sizeof(buf)));
	fputs("0123456789", file);
	fflush(file);
	off_t at = 3;
	say("sendfile", sendfile(fd[0], fileno(file), &at, 4));
	printf("offset %d\n", (int)at);
	say_bytes("sent", buf, read_until(fd[1], buf, 4));
	set_nonblocking(fd[1], true);
	say("nothing to splice", splice(fd[1], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
	at = 0;
	say("sendfile to a fresh one", sendfile(fresh, fileno(file), &at, 4));
	close(fd[1]);
	say("splice at the end", splice(fd[0], NULL, ends[1], NULL, 1, 0));
	say("lseek", lseek(fd[0], 0, SEEK_SET));
	close(fd[0]);
	return 0;
}
