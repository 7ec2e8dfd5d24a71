#include "core/engine/spin.h"

#define BACK_OFF_MIN (1 * MSEC)
#define BACK_OFF_MAX (1 * SEC)

/* Longer than one look takes, even with interrupts. */
#define LOST_THE_CPU (100 * USEC)

enum { PAYS_AFTER = 2 };

void spin_init(struct spin *s, nsec max, unsigned ncpus)
{
	*s = (struct spin){.max = ncpus > 1 ? max : 0, .back_off = BACK_OFF_MIN};
}

nsec spin_until(struct spin *s, nsec now, nsec deadline)
{
	s->last = now;
	if (s->paid < PAYS_AFTER || now < s->quiet_until)
		return now;
	return nsec_min(deadline, now + s->max);
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
