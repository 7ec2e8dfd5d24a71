/* Many threads and forks at once, from the very start: one engine for all, no lock left behind, every byte right. */
#include "tests/shim/say.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { THREADS = 16, ROUNDS = 20 };

static char **args;
static atomic_int good, children;

static bool one_echo(void)
{
	struct sockaddr_in a = peer_address(args);
	char buf[4] = "";
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	bool ok = connect_in(fd, &a) == 0 && write(fd, "eabc", 4) == 4 &&
		  read_until(fd, buf, 3) == 3 && strcmp(buf, "abc") == 0 &&
		  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) == 0;
	close(fd);
	return ok;
}

static void *work(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		good += one_echo();
		if (i % 5)
			continue;
		pid_t pid = fork();
		if (pid == 0)
			_exit(one_echo() ? 0 : 1);
		int status;
		if (waitpid(pid, &status, 0) == pid && status == 0)
			children++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];

	args = argv;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, work, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("threads %d children %d\n", good, children);
	return 0;
}
