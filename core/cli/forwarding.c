#include "core/cli/forwarding.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONF "/proc/sys/net/ipv4/conf"

static int open_switch(const char *ifname, int flags)
{
	char path[sizeof CONF "//forwarding" + IFNAMSIZ];

	if (strlen(ifname) >= IFNAMSIZ)
		return -ENODEV;
	snprintf(path, sizeof path, CONF "/%s/forwarding", ifname);
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_on(const char *ifname)
{
	int fd = open_switch(ifname, O_RDONLY);
	char c = '0';

	if (fd < 0)
		return false;
	bool on = read(fd, &c, 1) == 1 && c == '1';
	close(fd);
	return on;
}

int forwarding_set(const char *ifname, bool on)
{
	int fd = open_switch(ifname, O_WRONLY);
	int err = fd < 0 ? fd : 0;

	if (!err && write(fd, on ? "1" : "0", 1) != 1)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int forwarding_list(char out[static FORWARDING_LEN])
{
	size_t at = 0;
	struct dirent *entry;

	strcpy(out, "all");
	if (is_on("all"))
		return 0;
	out[0] = '\0';
	DIR *dir = opendir(CONF);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) && at < FORWARDING_LEN) {
		if (entry->d_name[0] == '.' || !is_on(entry->d_name))
			continue;
		at += (size_t)snprintf(
			out + at, FORWARDING_LEN - at, "%s%s", at ? "," : "", entry->d_name);
	}
	closedir(dir);
	return at < FORWARDING_LEN ? 0 : -E2BIG;
}

int forwarding_enable(void)
{
	return is_on("all") ? 0 : forwarding_set("all", true);
}

int forwarding_restore(const char *list)
{
	char name[IFNAMSIZ];

	if (strcmp(list, "all") == 0)
		return 0;
	int err = forwarding_set("all", false);
	while (!err && *list) {
		size_t len = strcspn(list, ",");
		snprintf(name, sizeof name, "%.*s", (int)len, list);
		err = forwarding_set(name, true);
		if (err == -ENOENT) /* an interface that is gone */
			err = 0;
		list += len + (list[len] == ',');
	}
	return err;
}
