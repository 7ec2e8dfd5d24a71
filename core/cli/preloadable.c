/*
 * What keeps LD_PRELOAD out (ld.so(8), "secure-execution mode"; execve(2)):
 *
 *	no PT_INTERP            statically linked (static-pie too): there is no dynamic linker
 *	another ELF class       a 32-bit program cannot load a 64-bit library; ld.so only warns
 *	another libc            the library needs glibc's; musl's linker has another name
 *	set-user-ID, -group-ID  AT_SECURE: ld.so ignores paths in LD_PRELOAD. Not when the owner is
 *	                        the user anyway, nor on a file system mounted nosuid
 *	file capabilities       AT_SECURE as well, except for root
 *	Go                      its runtime makes system calls by itself, whatever libc says
 *
 * A script is its interpreter; "#!/usr/bin/env python3" is python3, which env looks for in PATH.
 */
#include "core/cli/preloadable.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/base/bytes.h"

enum {
	SCRIPT_DEPTH_MAX = 5,  /* interpreters that are scripts: as many as the kernel follows */
	SCRIPT_LINE_MAX = 256, /* BINPRM_BUF_SIZE */
	PHDRS_MAX = 64,        /* more than any linker writes */
	NOTES_LEN = 4096,      /* of one segment of notes; what lies behind is not looked at */
};

/* The ELF of this very command: what the library, built with it, can be loaded into. */
#if __SIZEOF_POINTER__ == 8
enum { OUR_CLASS = ELFCLASS64 };
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_phdr;
typedef Elf64_Nhdr elf_note;
#else
enum { OUR_CLASS = ELFCLASS32 };
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_phdr;
typedef Elf32_Nhdr elf_note;
#endif

static int try_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

int program_find(const char *name, char path[static PATH_MAX])
{
	const char *dirs = getenv("PATH");
	int result = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(path, PATH_MAX, "%s", name);
		int err = try_file(name);
		return err == -ENOTDIR ? -ENOENT : err;
	}
	for (const char *d = dirs ? dirs : "/bin:/usr/bin"; *name; d++) {
		size_t len = strcspn(d, ":");
		snprintf(path, PATH_MAX, "%.*s%s%s", (int)len, d, len ? "/" : "./", name);
		int err = try_file(path);
		if (err == 0)
			return 0;
		if (err == -EACCES)
			result = -EACCES;
		d += len;
		if (!*d)
			break;
	}
	return result;
}

static bool is_privileged(
	const char *path, const struct stat *st, char reason[static PRELOAD_REASON_LEN])
{
	struct statvfs fs;

	if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		return false;
	bool setid = ((st->st_mode & S_ISUID) && st->st_uid != getuid()) ||
		     ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
			     st->st_gid != getgid());
	bool capable = getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0;
	if (setid)
		snprintf(reason, PRELOAD_REASON_LEN,
			"%s runs with another user's or group's rights (setuid, setgid): "
			"LD_PRELOAD is ignored for it",
			path);
	else if (capable)
		snprintf(reason, PRELOAD_REASON_LEN,
			"%s has file capabilities: LD_PRELOAD is ignored for it", path);
	return setid || capable;
}

struct segments {
	size_t count;
	elf_phdr at[PHDRS_MAX];
};

static bool read_segments(int fd, const elf_header *e, struct segments *out)
{
	out->count = MIN((size_t)e->e_phnum, (size_t)PHDRS_MAX);
	size_t len = out->count * sizeof out->at[0];
	return pread(fd, out->at, len, (off_t)e->e_phoff) == (ssize_t)len;
}

/* The dynamic linker the program asks for; false: none. */
static bool read_interpreter(int fd, const struct segments *s, char interp[static PATH_MAX])
{
	for (size_t i = 0; i < s->count; i++) {
		size_t len = MIN((size_t)s->at[i].p_filesz, (size_t)PATH_MAX - 1);
		if (s->at[i].p_type != PT_INTERP)
			continue;
		ssize_t n = pread(fd, interp, len, (off_t)s->at[i].p_offset);
		interp[n < 0 ? 0 : n] = '\0';
		return n > 0;
	}
	return false;
}

/* Whether the notes in `data` have one with this owner. Name and content are padded to 4 bytes. */
static bool notes_have(const uint8_t *data, size_t len, const char *owner)
{
	size_t owner_len = strlen(owner) + 1, at = 0;
	elf_note note;

	while (at + sizeof note <= len) {
		memcpy(&note, data + at, sizeof note);
		at += sizeof note;
		if (note.n_namesz > len - at || note.n_descsz > len - at)
			return false;
		if (note.n_namesz >= owner_len && memcmp(data + at, owner, owner_len) == 0)
			return true;
		at += ((size_t)note.n_namesz + 3) / 4 * 4 + ((size_t)note.n_descsz + 3) / 4 * 4;
	}
	return false;
}

/* Go's linker leaves its build ID, as a note of the owner "Go", in every program. */
static bool is_go(int fd, const struct segments *s)
{
	uint8_t notes[NOTES_LEN];

	for (size_t i = 0; i < s->count; i++) {
		if (s->at[i].p_type != PT_NOTE)
			continue;
		ssize_t n = pread(fd, notes, MIN((size_t)s->at[i].p_filesz, sizeof notes),
			(off_t)s->at[i].p_offset);
		if (n > 0 && notes_have(notes, (size_t)n, "Go"))
			return true;
	}
	return false;
}

static bool elf_preloadable(const char *path, int fd, char reason[static PRELOAD_REASON_LEN])
{
	char interp[PATH_MAX];
	elf_header e, own;
	struct segments segments;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool know_own = self >= 0 && pread(self, &own, sizeof own, 0) == (ssize_t)sizeof own;
	const char *why = NULL;

	if (self >= 0)
		close(self);
	if (pread(fd, &e, sizeof e, 0) != (ssize_t)sizeof e)
		return true;
	if (e.e_ident[EI_CLASS] != OUR_CLASS || (know_own && e.e_machine != own.e_machine))
		why = "is built for another architecture than the library";
	else if (!read_segments(fd, &e, &segments) || !read_interpreter(fd, &segments, interp))
		why = "is statically linked: there is nothing that would load the library";
	else if (strstr(interp, "ld-musl"))
		why = "is built on musl: the library needs glibc";
	else if (is_go(fd, &segments))
		why = "is a Go program: it makes its system calls by itself, past any library";
	if (why)
		snprintf(reason, PRELOAD_REASON_LEN, "%s %s", path, why);
	return !why;
}

/*
 * The program that env(1) will start: the first word that is neither an option nor an assignment.
 */
static bool env_target(char *words, char path[static PATH_MAX])
{
	char *save;

	for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
		if (*w != '-' && !strchr(w, '='))
			return program_find(w, path) == 0;
	return false;
}

/*
 * Follows "#!": path becomes the interpreter's. False: the line names none that exists, let the
 * kernel say so.
 */
static bool follow_script(char *line, char path[static PATH_MAX])
{
	char *save, *interp;

	line[strcspn(line, "\n")] = '\0';
	interp = strtok_r(line + 2, " \t", &save);
	if (!interp)
		return false;
	const char *base = strrchr(interp, '/');
	if (base && strcmp(base, "/env") == 0)
		return env_target(save, path);
	snprintf(path, PATH_MAX, "%s", interp);
	return true;
}

bool program_preloadable(const char *path, char reason[static PRELOAD_REASON_LEN])
{
	char at[PATH_MAX], head[SCRIPT_LINE_MAX];
	struct stat st;

	snprintf(at, sizeof at, "%s", path);
	for (int depth = 0; depth < SCRIPT_DEPTH_MAX; depth++) {
		int fd = open(at, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : pread(fd, head, sizeof head - 1, 0);
		bool elf = n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0, ok = true;
		if (elf)
			ok = elf_preloadable(at, fd, reason);
		if (elf && ok && fstat(fd, &st) == 0)
			ok = !is_privileged(at, &st, reason);
		if (fd >= 0)
			close(fd);
		if (elf || n < 2)
			return ok;
		head[n] = '\0';
		if (head[0] != '#' || head[1] != '!')
			return true; /* execvp gives it to the shell */
		if (!follow_script(head, at))
			return true;
	}
	return true;
}
