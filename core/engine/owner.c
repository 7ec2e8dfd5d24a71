#include "core/engine/owner.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct owner *place(const struct owners *o, const struct flow_key *key)
{
	return (struct owner *)&o->slot[flow_hash(key) % OWNERS];
}

static void ask_name(struct owner *w)
{
	char path[64];
	ssize_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)w->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, w->name, sizeof(w->name) - 1);
		close(fd);
	}
	w->name[n > 0 ? n : 0] = '\0';
	w->name[strcspn(w->name, "\n")] = '\0';
}

void owner_add(struct owners *o, const struct flow_key *key, pid_t pid, bool named)
{
	struct owner *w = place(o, key);

	*w = (struct owner){.key = *key, .pid = pid};
	if (named)
		ask_name(w);
}

const struct owner *owner_find(const struct owners *o, const struct flow_key *key)
{
	const struct owner *w = place(o, key);

	return w->pid && flow_equal(&w->key, key) ? w : NULL;
}
