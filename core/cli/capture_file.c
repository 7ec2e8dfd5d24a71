#include "core/cli/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"

FILE *capture_open(const char *command, const char *path)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct stat st;

	if (f && fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
		fclose(f);
		f = NULL;
		errno = EISDIR;
	}
	if (!f)
		log_line("%s: %s: %s", command, path, strerror(errno));
	return f;
}

const char *capture_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

bool capture_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || n < 1 || n > max)
		return false;
	*out = n;
	return true;
}

static bool is_plain(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? errno == ENOENT : S_ISREG(st.st_mode);
}

/* As if it were created by open(2): mkstemp's file is for its owner only. */
static void set_mode(int fd, const char *path)
{
	mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (fchmod(fd, stat(path, &st) == 0 ? st.st_mode & 0777 : 0666 & ~mask) < 0)
		return; /* it stays as it is */
}

bool capture_output_open(struct capture_output *o, const char *command, const char *path)
{
	int fd;

	*o = (struct capture_output){.stream = stdout, .command = command, .path = path};
	if (!path || strcmp(path, "-") == 0) {
		o->path = NULL;
		return true;
	}
	if (!is_plain(path)) {
		o->stream = fopen(path, "we");
	} else if (asprintf(&o->temporary, "%s.XXXXXX", path) < 0) {
		o->temporary = NULL;
		o->stream = NULL;
	} else {
		fd = mkostemp(o->temporary, O_CLOEXEC);
		o->stream = fd >= 0 ? fdopen(fd, "w") : NULL;
		if (o->stream)
			set_mode(fd, path);
	}
	if (o->stream)
		return true;
	log_line("%s: %s: %s", command, path, strerror(errno));
	free(o->temporary);
	return false;
}

bool capture_output_close(struct capture_output *o, bool keep)
{
	bool whole = !ferror(o->stream) && fflush(o->stream) == 0;
	int error = errno;

	if (o->path && fclose(o->stream) != 0 && whole) {
		error = errno;
		whole = false;
	}
	if (o->temporary && keep && whole && rename(o->temporary, o->path) < 0) {
		error = errno;
		whole = false;
	}
	if (o->temporary && (!keep || !whole))
		unlink(o->temporary);
	free(o->temporary);
	/* A reader that has seen enough (head, less) is no fault. */
	if (!whole && error != EPIPE)
		log_line("%s: %s: %s", o->command, o->path ? o->path : "standard output",
			strerror(error));
	return whole;
}
