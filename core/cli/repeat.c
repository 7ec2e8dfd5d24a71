/*
 * ONE RUN is: a seed, an engine, the program, and the end of the engine. The engine is new each
 * time because it has a memory: its neighbours, its ports, and how many conversations there were,
 * on which the fate of segments depends. What the program leaves unsent when it ends still has a
 * time to leave before the engine is stopped, and is then reset, as with every engine that ends.
 *
 * The program has a process group of its own, /dev/null as its input and a file as its output, so
 * that run 7 finds what run 1 found. What it leaves running in its group is killed at its end.
 *
 * Of each run there are three files, runN-seedS.{log,trace,pcapng}, until it is known to have
 * succeeded. A failure is two lines on stdout, the first a comment, the second the command that runs
 * it again: the output of --repeat is a script.
 */
#include "core/cli/repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/base/time.h"
#include "core/cli/dial.h"
#include "core/cli/socktext.h"

enum { PATH_LEN = 4096, WHY_LEN = 96, TICK_MS = 500 };

#define TERM_PATIENCE (2 * SEC)   /* from SIGTERM to SIGKILL */
#define SETTLE_PATIENCE (5 * SEC) /* for what the program had sent when it ended */

static const char *const parts[] = {"log", "trace", "pcapng"};

struct runs {
	const struct repeat *r;
	const struct cli_options *o;
	char **program;
	const char *dir;
	sigset_t signals, old_signals;
	bool bar; /* a progress line on stderr */
	unsigned long long done, failed;
	uint64_t seed; /* of this run */
	nsec began, run_began;
	int interrupted; /* by this signal */
};

static nsec clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec)t.tv_sec * SEC + t.tv_nsec;
}

/* --- what a person sees --- */

static void clear_bar(const struct runs *x)
{
	if (x->bar)
		fputs("\r\033[K", stderr);
}

static void show_bar(const struct runs *x)
{
	nsec spent = clock_now() - x->began;

	if (!x->bar)
		return;
	fprintf(stderr, "\r\033[K%llu of %llu runs, %llu failed", x->done, x->r->times, x->failed);
	if (x->done)
		fprintf(stderr, ", %.0f s to go",
			(double)spent / SEC / (double)x->done * (double)(x->r->times - x->done));
	fflush(stderr);
}

/* As a shell reads it back. */
static void print_quoted(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "%+,-./:=@_";

	if (*word && strspn(word, plain) == strlen(word)) {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

static bool is_replayed(const char *variable)
{
	return strncmp(variable, "TEECEE_PCAP", 11) != 0 && strcmp(variable, "TEECEE_TRACE") != 0 &&
	       strcmp(variable, "TEECEE_SEED") != 0;
}

/* The line that runs it again, whatever the environment is then. */
static void print_replay(const struct runs *x)
{
	const struct settings_variable *v;
	char name[CLI_NAME_LEN];

	print_quoted(program_invocation_name);
	printf(" run --fresh --seed %llu", (unsigned long long)x->seed);
	for (unsigned i = 0; (v = settings_variable(i)); i++) {
		const char *value = getenv(v->name);
		if (!value || !*value || !is_replayed(v->name))
			continue;
		cli_option_of(v->name, name);
		printf(" --%s ", name);
		print_quoted(value);
	}
	printf(" --");
	for (char **word = x->program; *word; word++) {
		putchar(' ');
		print_quoted(*word);
	}
	putchar('\n');
}

/* --- files --- */

static void file_name(const struct runs *x, const char *part, char out[static PATH_LEN])
{
	snprintf(out, PATH_LEN, "%s/run%llu-seed%llu.%s", x->dir, x->done + 1,
		(unsigned long long)x->seed, part);
}

static void remove_files(const struct runs *x)
{
	char path[PATH_LEN];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		file_name(x, parts[i], path);
		unlink(path);
	}
}

/* The library's own complaint in the log, for the case that the engine cannot even start. */
static bool find_complaint(const struct runs *x, char *line, int size)
{
	char path[PATH_LEN];
	bool found = false;

	file_name(x, "log", path);
	FILE *f = fopen(path, "re");
	while (f && !found && fgets(line, size, f))
		found = strncmp(line, "teecee: ", 8) == 0;
	if (f)
		fclose(f);
	return found;
}

/* --- the engine --- */

bool engine_free(const struct settings *s)
{
	struct snapshot snap;
	int pid = 0, fd = dial(s);

	if (fd >= 0 && dial_snapshot(fd, &snap) == 0) {
		for (uint32_t i = 0; i < snap.head->nsocks && !pid; i++)
			pid = (int)snap.sock[i].pid;
		snapshot_close(&snap);
	}
	if (fd >= 0)
		close(fd);
	if (pid) {
		log_line("the engine for %s on %s serves process %d: wait for it, or teecee stop",
			s->ip_spec, s->iface, pid);
		return false;
	}
	int err = dial_stop(s);
	if (err && err != -ECONNREFUSED)
		log_line("the engine for %s on %s does not end: %s", s->ip_spec, s->iface,
			strerror(-err));
	return !err || err == -ECONNREFUSED;
}

/* Whether something is still to be sent or answered. An engine that does not answer has nothing. */
static bool is_busy(int fd)
{
	struct snapshot snap;
	bool busy = false;

	if (dial_snapshot(fd, &snap))
		return false;
	for (uint32_t i = 0; i < snap.head->nsocks; i++) {
		const struct ipc_snap_sock *s = &snap.sock[i];
		busy |= sock_is_tcp(s) && s->tcp_state != SOCK_TIME_WAIT &&
			s->tcp_state != SOCK_CLOSED && s->tcp_state != SOCK_LISTEN;
	}
	snapshot_close(&snap);
	return busy;
}

/* False: there was none. */
static bool end_engine(const struct settings *s)
{
	static const struct timespec nap = {.tv_nsec = 10 * MSEC};
	nsec until = clock_now() + SETTLE_PATIENCE;
	int fd = dial(s);

	if (fd < 0)
		return false;
	while (is_busy(fd) && clock_now() < until)
		nanosleep(&nap, NULL);
	close(fd);
	return dial_stop(s) == 0;
}

/* --- the program --- */

static void become_program(const struct runs *x)
{
	char path[PATH_LEN];

	setpgid(0, 0);
	file_name(x, "log", path);
	int in = open("/dev/null", O_RDONLY);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(EXIT_OURS);
	if (in > 2)
		close(in);
	if (out > 2)
		close(out);
	sigprocmask(SIG_SETMASK, &x->old_signals, NULL);
	execvp(x->program[0], x->program);
	log_line("%s: %s", x->program[0], strerror(errno));
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static bool set_environment(const struct runs *x)
{
	char path[PATH_LEN], seed[24];

	snprintf(seed, sizeof seed, "%llu", (unsigned long long)x->seed);
	if (setenv("TEECEE_SEED", seed, 1))
		return false;
	file_name(x, "pcapng", path);
	if (setenv("TEECEE_PCAP", path, 1))
		return false;
	file_name(x, "trace", path);
	return setenv("TEECEE_TRACE", path, 1) == 0;
}

/* Waits for the next signal, at most until then: SIGCHLD, one that ends us, or 0. */
static int wait_signal(const struct runs *x, nsec until)
{
	nsec left = nsec_min(until - clock_now(), TICK_MS * MSEC);
	struct timespec limit = {.tv_nsec = left > 0 ? left % SEC : 0};
	int signal = sigtimedwait(&x->signals, NULL, &limit);

	return signal < 0 ? 0 : signal;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid;
}

/*
 * Until the program has ended, by itself or by us when the time is over or we are to end. True: its
 * time was over.
 */
static bool await(struct runs *x, pid_t pid)
{
	nsec until = x->r->timeout_s ? x->run_began + (nsec)x->r->timeout_s * SEC : NSEC_NEVER;
	bool late = false, told = false;

	while (!has_ended(pid)) {
		int signal = wait_signal(x, until);
		if (signal && signal != SIGCHLD)
			x->interrupted = signal;
		bool over = clock_now() >= until;
		if (told && over) {
			kill(-pid, SIGKILL);
			until = NSEC_NEVER;
		} else if (!told && (over || x->interrupted)) {
			kill(-pid, SIGTERM);
			told = true;
			late = !x->interrupted;
			until = clock_now() + TERM_PATIENCE;
		}
		show_bar(x);
	}
	return late;
}

/* How the run failed, in words; "" when it did not. */
static void judge(const struct runs *x, int status, bool late, char why[static WHY_LEN])
{
	why[0] = '\0';
	if (late)
		snprintf(why, WHY_LEN, "not done in %llu s", x->r->timeout_s);
	else if (WIFSIGNALED(status))
		snprintf(why, WHY_LEN, "killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		snprintf(why, WHY_LEN, "exit status %d", WEXITSTATUS(status));
}

/* One run: false when another makes no sense. `why` tells how it failed. */
static bool run_once(struct runs *x, char why[static WHY_LEN])
{
	char complaint[512];
	int status = 0;

	x->run_began = clock_now();
	remove_files(x);
	pid_t pid = set_environment(x) ? fork() : -1;
	if (pid == 0)
		become_program(x);
	if (pid < 0) {
		log_line("run: %s", strerror(errno));
		return false;
	}
	setpgid(pid, pid); /* whoever is first: it must be so before we signal it */
	bool late = await(x, pid);
	kill(-pid, SIGKILL);
	waitpid(pid, &status, 0);
	judge(x, status, late, why);
	bool had_engine = end_engine(&x->o->settings);
	if (!why[0] || had_engine || x->interrupted ||
		!find_complaint(x, complaint, sizeof complaint))
		return true;
	clear_bar(x);
	fputs(complaint, stderr);
	return false;
}

static void tell(const struct runs *x, const char *why)
{
	char path[PATH_LEN];

	file_name(x, "*", path);
	clear_bar(x);
	printf("# run %llu, seed %llu: %s after %.1f s; %s\n", x->done + 1,
		(unsigned long long)x->seed, why[0] ? why : "success",
		(double)(clock_now() - x->run_began) / SEC, why[0] ? path : "nothing is kept");
	if (why[0])
		print_replay(x);
	fflush(stdout);
}

static int run_all(struct runs *x)
{
	char why[WHY_LEN];

	for (x->began = clock_now(); x->done < x->r->times; x->done++) {
		show_bar(x);
		bool sane = run_once(x, why);
		if (!sane || x->interrupted || !why[0])
			remove_files(x);
		if (!sane)
			return EXIT_OURS;
		if (x->interrupted)
			break;
		if (why[0] || x->o->verbose)
			tell(x, why);
		x->failed += why[0] != '\0';
		if (x->r->vary_seed)
			x->seed++;
	}
	return x->interrupted ? 128 + x->interrupted : x->failed > 0;
}

/* The directory: as told, or teecee-repeat.XXXXXX here. NULL: a line has said why not. */
static const char *make_directory(const char *keep, char made[static 32])
{
	struct stat st;

	if (keep && mkdir(keep, 0777) == 0)
		return keep;
	if (keep && errno == EEXIST && stat(keep, &st) == 0) {
		errno = ENOTDIR;
		if (S_ISDIR(st.st_mode))
			return keep;
	}
	strcpy(made, "teecee-repeat.XXXXXX");
	if (!keep && mkdtemp(made))
		return made;
	log_line("run: %s: %s", keep ? keep : "a directory here", strerror(errno));
	return NULL;
}

static uint64_t random_seed(void)
{
	uint32_t seed = 1;

	/* Short enough to be read out to somebody. */
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = (uint32_t)getpid();
	return seed % 1000000;
}

int repeat(const struct repeat *r, const struct cli_options *o, char **program)
{
	static const int caught[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct runs x = {.r = r, .o = o, .program = program, .bar = isatty(STDERR_FILENO)};
	char made[32];

	x.seed = o->settings.has_seed ? o->settings.seed : random_seed();
	x.dir = make_directory(r->keep, made);
	if (!x.dir)
		return EXIT_OURS;
	sigemptyset(&x.signals);
	for (size_t i = 0; i < ARRAY_LEN(caught); i++)
		sigaddset(&x.signals, caught[i]);
	sigprocmask(SIG_BLOCK, &x.signals, &x.old_signals);
	int status = run_all(&x);
	clear_bar(&x);
	rmdir(x.dir); /* if nothing is in it */
	if (status != EXIT_OURS)
		printf("# %llu of %llu runs failed%s, %.1f s\n", x.failed, x.done,
			x.interrupted ? " until the interruption" : "",
			(double)(clock_now() - x.began) / SEC);
	return fflush(stdout) ? EXIT_OURS : status;
}
