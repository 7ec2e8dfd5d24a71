/* vfork, posix_spawn, daemon and system() with sockets open: connections stay with those who have them. */
#include "tests/shim/say.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	char *spawn_argv[] = {"sh", "-c", "echo spawned >&0", NULL};
	posix_spawn_file_actions_t actions;
	char buf[16];
	int fd[2], status;
	pid_t pid;

	make_pair(fd);
	pid = vfork();
	if (pid == 0) {
		close(fd[0]);
		_exit(write(fd[1], "vfork", 5) == 5 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	printf("status %d\n", status);
	say_bytes("read", buf, read_until(fd[0], buf, 5));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd[1], 0);
	say("posix_spawn", posix_spawn(&pid, "/bin/sh", &actions, NULL, spawn_argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	waitpid(pid, &status, 0);
	printf("status %d\n", status);
	say_bytes("read", buf, read_until(fd[0], buf, 8));
	printf("system %d\n", system("exit 3") >> 8);
	say("no other child", wait(&status));
	fflush(stdout);
	if (fork() == 0) {
		setsid();
		if (chdir("/") == 0 && chroot("/proc/self/fdinfo") == 0 && setgid(65534) == 0 && setuid(65534) == 0)
			_exit(write(fd[1], "nobody", 6) == 6 ? 0 : 1);
		_exit(2);
	}
	wait(&status);
	printf("status %d\n", status);
	say_bytes("read", buf, read_until(fd[0], buf, 6));
	return 0;
}
