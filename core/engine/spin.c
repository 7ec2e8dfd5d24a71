#include "core/engine/spin.h"

#define BACK_OFF_MIN (1 * MSEC)
#define BACK_OFF_MAX (1 * SEC)

/* Longer than one look takes, even with interrupts. */
#define LOST_THE_CPU (100 * USEC)

enum { PAYS_AFTER = 2, CROWD_ONE = 256, CROWD_LAST = 8 };

void spin_init(struct spin *s, nsec max, unsigned ncpus)
{
	*s = (struct spin){.max = ncpus > 1 ? max : 0, .back_off = BACK_OFF_MIN};
}

static bool pays(const struct spin *s, nsec now)
{
	return s->paid >= PAYS_AFTER && now >= s->quiet_until;
}

bool spin_asks(struct spin *s, nsec now)
{
	if (!pays(s, now) || now - s->asked_at < SPIN_ASKS)
		return false;
	s->asked_at = now;
	return true;
}

void spin_answer(struct spin *s, bool crowded)
{
	s->crowd += (crowded ? CROWD_ONE : 0) / CROWD_LAST - s->crowd / CROWD_LAST;
}

nsec spin_until(struct spin *s, nsec now, nsec deadline)
{
	nsec most = s->crowd > CROWD_ONE / 2 ? nsec_min(s->max, SPIN_CROWDED) : s->max;

	s->last = now;
	return pays(s, now) ? nsec_min(deadline, now + most) : now;
}

bool spin_goes_on(struct spin *s, nsec now)
{
	nsec since = now - s->last;

	s->last = now;
	if (since < LOST_THE_CPU)
		return true;
	s->quiet_until = now + s->back_off;
	s->back_off = nsec_min(2 * s->back_off, BACK_OFF_MAX);
	return false;
}

void spin_ended(struct spin *s, nsec began, nsec now)
{
	if (now - began > s->max) {
		s->paid = 0;
		return;
	}
	s->paid += s->paid < PAYS_AFTER;
	if (now - s->quiet_until > s->back_off)
		s->back_off = BACK_OFF_MIN;
}
