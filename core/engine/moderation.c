#include "core/engine/moderation.h"

void moderation_init(struct moderation *m, struct moderation_kind kind)
{
	*m = (struct moderation){.kind = kind, .until = NSEC_NEVER};
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
	if (total - m->counted >= m->kind.streak) {
		if (now - m->since <= MODERATION_FAST && total - m->sent_at >= m->kind.after)
			m->until = now + m->kind.hold;
		begin_streak(m, total, now);
	}
	return m->until != NSEC_NEVER;
}

void moderation_sent(struct moderation *m, uint64_t total, nsec now)
{
	m->sent_at = total;
	begin_streak(m, total, now);
}
