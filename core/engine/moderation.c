#include "core/engine/moderation.h"

void moderation_init(struct moderation *m)
{
	*m = (struct moderation){.until = NSEC_NEVER};
}

static void begin_streak(struct moderation *m, uint64_t total, nsec now)
{
	m->counted = total;
	m->since = now;
}

bool moderation_holds(struct moderation *m, uint64_t total, nsec now)
{
	if (m->until != NSEC_NEVER && now < m->until)
		return true;
	if (m->until != NSEC_NEVER) {
		m->until = NSEC_NEVER;
		begin_streak(m, total, now);
	}
	if (total - m->counted >= MODERATION_STREAK) {
		if (now - m->since <= MODERATION_FAST)
			m->until = now + MODERATION_HOLD;
		begin_streak(m, total, now);
	}
	return m->until != NSEC_NEVER;
}

void moderation_sent(struct moderation *m, uint64_t total, nsec now)
{
	begin_streak(m, total, now);
}
