/*
 * replay CORPUS…: runs a fuzz target over files that were found earlier, without libFuzzer, so that every run of
 * the tests does it, with any compiler. Arguments are files and directories. What crashes, crashes.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PATH_LEN = 1024, INPUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buffer = malloc(INPUT_MAX), *input;
	size_t n;

	if (!f || !buffer) {
		perror(path);
		return 1;
	}
	n = fread(buffer, 1, INPUT_MAX, f);
	fclose(f);
	/* Of exactly its size, so that a sanitizer sees the first byte too many. */
	input = malloc(n ? n : 1);
	if (!input)
		return 1;
	for (size_t i = 0; i < n; i++)
		input[i] = buffer[i];
	free(buffer);
	LLVMFuzzerTestOneInput(input, n);
	free(input);
	replayed++;
	return 0;
}

static int replay_directory(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char name[PATH_LEN];
	int failed = 0;

	if (!d) {
		perror(path);
		return 1;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		failed |= replay_file(name);
	}
	closedir(d);
	return failed;
}

int main(int argc, char **argv)
{
	struct stat st;
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (stat(argv[i], &st)) {
			perror(argv[i]);
			return 1;
		}
		failed |= S_ISDIR(st.st_mode) ? replay_directory(argv[i]) : replay_file(argv[i]);
	}
	printf("%u inputs\n", replayed);
	return failed || !replayed;
}
