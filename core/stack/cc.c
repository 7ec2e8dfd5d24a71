/*
 * The controllers there are, by name.
 */
#include "core/stack/cc.h"

#include <errno.h>
#include <string.h>

#include "core/stack/tcb.h"

static const struct cc_ops *const controllers[] = {&cc_cubic, &cc_reno};

const struct cc_ops *cc_find(const char *name)
{
	if (!name)
		return controllers[0];
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		if (strcmp(name, controllers[i]->name) == 0)
			return controllers[i];
	}
	return NULL;
}

bool tcp_congestion_exists(const char *name)
{
	return cc_find(name) != NULL;
}

int tcp_set_congestion(struct tcp *t, const char *name, nsec now)
{
	const struct cc_ops *cc = cc_find(name);

	if (!cc)
		return -ENOENT;
	if (cc == t->cc)
		return 0;
	t->cc = cc;
	if (t->cong.cwnd > 0) {
		uint32_t cwnd = t->cong.cwnd, ssthresh = t->cong.ssthresh;
		cc->init(t, now);
		t->cong.cwnd = cwnd;
		t->cong.ssthresh = ssthresh;
	}
	return 0;
}

const char *tcp_congestion(const struct tcp *t)
{
	return t->cc->name;
}
