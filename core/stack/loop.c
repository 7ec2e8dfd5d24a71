#include "core/stack/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/state.h"

/* A packet to ourselves, from its IP header on (unless it is bare). A super-segment stays one: nobody has to cut it. */
struct looped {
	struct list link;
	struct ip_meta meta; /* of a bare packet */
	bool bare;           /* `packet` begins with its L4 header */
	size_t len;
	uint16_t gso_size;
	uint8_t packet[];
};

void loop_init(struct stack *s)
{
	list_init(&s->loop.queue);
	s->loop.bytes = 0;
}

static void account(struct stack *s, const struct looped *p, bool add)
{
	size_t size = sizeof *p + p->len;

	s->loop.bytes = add ? s->loop.bytes + size : s->loop.bytes - size;
	s->memory = add ? s->memory + size : s->memory - size;
}

static struct looped *take_first(struct stack *s)
{
	struct looped *p = LIST_ENTRY(list_first(&s->loop.queue), struct looped, link);

	list_remove(&p->link);
	account(s, p, false);
	return p;
}

void loop_flush(struct stack *s)
{
	while (!list_empty(&s->loop.queue))
		free(take_first(s));
}

int loop_output(struct stack *s, const struct tx_frame *f, const struct ip_meta *bare)
{
	size_t head = tx_frame_head_len(f), len = head + tx_frame_payload_len(f);
	uint8_t *end;

	if (s->loop.bytes >= LOOP_BYTES_MAX)
		return -EAGAIN;
	struct looped *p = malloc(sizeof *p + len);
	if (!p)
		return -ENOBUFS;
	list_init(&p->link);
	p->len = len;
	p->gso_size = f->gso_size;
	p->bare = bare != NULL;
	if (bare)
		p->meta = *bare;
	memcpy(p->packet, f->head + f->head_at, head);
	end = p->packet + head;
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(end, f->payload[i].iov_base, f->payload[i].iov_len);
		end += f->payload[i].iov_len;
	}
	list_append(&s->loop.queue, &p->link);
	account(s, p, true);
	return 0;
}

/* What arrives while this runs is appended behind `last` and waits for the next round. */
bool loop_drain(struct stack *s, nsec now)
{
	struct list *last = s->loop.queue.prev;
	bool more = !list_empty(&s->loop.queue), any = more;

	while (more) {
		struct looped *p = take_first(s);
		struct rx_frame f = {
			.data = p->packet,
			.len = p->len,
			.gso_size = p->gso_size,
			.csum = FRAME_CSUM_VERIFIED, /* it never left this memory */
			.arrival = now,
		};

		more = &p->link != last;
		if (p->bare)
			ip_input_bare(s, &p->meta, p->packet, p->len, &f, now);
		else
			ip_input_looped(s, p->packet, p->len, &f, now);
		free(p);
	}
	return any;
}
