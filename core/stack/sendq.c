#include "core/stack/sendq.h"

#include <stdlib.h>

#include "core/base/bytes.h"

/* One loan, and the run of the ring's bytes in front of it. */
struct lent {
	uint32_t run;
	struct loan loan;
};

struct sendq_loans {
	unsigned first, n;
	struct lent lent[SENDQ_LOANS]; /* round its end */
};

static struct lent *nth(const struct sendq *q, unsigned i)
{
	return &q->loans->lent[(q->loans->first + i) % SENDQ_LOANS];
}

static unsigned count(const struct sendq *q)
{
	return q->loans ? q->loans->n : 0;
}

bool sendq_grow(struct stack *s, struct sendq *q, size_t n)
{
	return ring_grow(s, &q->ring, q->ring.len + n);
}

uint32_t sendq_spare(const struct sendq *q)
{
	return q->ring.cap - q->ring.len;
}

int sendq_room(const struct sendq *q, uint32_t n, struct iovec iov[static 2])
{
	return ring_pieces(&q->ring, q->ring.len, n, iov);
}

void sendq_commit(struct sendq *q, uint32_t n)
{
	q->ring.len += n;
	q->len += n;
}

bool sendq_lend(struct sendq *q, const struct loan *l)
{
	uint32_t run = q->ring.len;

	if (count(q) == SENDQ_LOANS)
		return false;
	if (!q->loans) {
		q->loans = malloc(sizeof(*q->loans));
		if (!q->loans)
			return false;
		q->loans->first = q->loans->n = 0;
	}
	for (unsigned i = 0; i < q->loans->n; i++)
		run -= nth(q, i)->run;
	*nth(q, q->loans->n++) = (struct lent){run, *l};
	q->len += l->len;
	return true;
}

int sendq_pieces(
	const struct sendq *q, uint32_t offset, uint32_t n, struct iovec iov[static TX_PAYLOAD_MAX])
{
	uint32_t own = 0; /* the ring's bytes in front of here */
	int pieces = 0;

	for (unsigned i = 0; i < count(q) && n > 0; i++) {
		const struct lent *l = nth(q, i);

		if (offset < l->run) {
			uint32_t some = MIN(n, l->run - offset);
			pieces += ring_pieces(&q->ring, own + offset, some, iov + pieces);
			offset += some;
			n -= some;
		}
		own += l->run;
		offset -= MIN(offset, l->run);
		if (n > 0 && offset < l->loan.len) {
			uint32_t some = MIN(n, l->loan.len - offset);
			iov[pieces++] = (struct iovec){(void *)(l->loan.data + offset), some};
			offset += some;
			n -= some;
		}
		offset -= MIN(offset, l->loan.len);
	}
	return pieces + ring_pieces(&q->ring, own + offset, n, iov + pieces);
}

/* Of the front loan, whose run is gone; how many of its bytes. */
static uint32_t pay_back(struct sendq *q, uint32_t n)
{
	struct loan *l = &nth(q, 0)->loan;
	uint32_t some = MIN(n, l->len);

	l->len -= some;
	if (l->len == 0) {
		struct loan over = *l;
		q->loans->first = (q->loans->first + 1) % SENDQ_LOANS;
		q->loans->n--;
		over.done(over.ctx, over.data);
	} else {
		l->data += some;
	}
	return some;
}

void sendq_consume(struct sendq *q, uint32_t n)
{
	q->len -= n;
	while (n > 0 && count(q) > 0) {
		struct lent *l = nth(q, 0);
		uint32_t own = MIN(n, l->run);

		ring_consume(&q->ring, own);
		l->run -= own;
		n -= own;
		if (n > 0)
			n -= pay_back(q, n);
	}
	ring_consume(&q->ring, n);
}

void sendq_release(struct stack *s, struct sendq *q)
{
	sendq_consume(q, q->len);
	ring_release(s, &q->ring);
	free(q->loans);
	q->loans = NULL;
}
