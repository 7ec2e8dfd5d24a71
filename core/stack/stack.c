/*
 * The stack as a whole: it is made, fed, polled and freed here; the parts do the work.
 */
#include "core/stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/arp.h"
#include "core/stack/state.h"
#include "core/wire/eth.h"

/* The point was to be polled: stack_poll sends what is due after the timers. */
static void link_busy_over(struct timer *t, nsec now)
{
}

struct stack *stack_new(
	const struct stack_config *config, const struct stack_ops *ops, void *ctx, nsec now)
{
	struct stack *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->config = *config;
	if (s->config.tcp_mem_max == 0)
		s->config.tcp_mem_max = TCP_MEM_DEFAULT;
	s->ops = *ops;
	s->ctx = ctx;
	s->gateway = config->gateway;
	timers_init(&s->timers, now);
	timer_init(&s->link_busy, link_busy_over);
	acd_init(s);
	neigh_init(s);
	reasm_init(s);
	loop_init(s);
	igmp_init(s);
	dgram_init(s);
	s->gro = gro_new();
	if (!s->gro || tcp_table_init(s, now) < 0) {
		gro_free(s->gro);
		free(s);
		return NULL;
	}
	return s;
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
	gro_free(s->gro);
	tcp_table_free(s);
	dgram_flush(s);
	igmp_flush(s);
	loop_flush(s);
	reasm_flush(s);
	neigh_flush(s);
	free(s);
}

void stack_claim(struct stack *s, const struct ipnet *address, enum probe_timing timing, nsec now)
{
	s->address = *address;
	neigh_flush(s);
	acd_claim(s, timing, now);
}

enum address_state stack_address_state(const struct stack *s, struct macaddr *holder)
{
	if (holder && s->acd.state == ADDRESS_CONFLICT)
		*holder = s->acd.holder;
	return s->acd.state;
}

const struct ipnet *stack_address(const struct stack *s)
{
	return &s->address;
}

void stack_set_gateway(struct stack *s, const struct ipaddr *gateway)
{
	s->gateway = *gateway;
}

const struct ipaddr *stack_gateway(const struct stack *s)
{
	return &s->gateway;
}

void stack_input(struct stack *s, const struct rx_frame *f, nsec now)
{
	struct eth_hdr eth;

	if (gro_continue(s, f, now))
		return;
	if (!eth_parse(&eth, f->data, f->len)) {
		COUNT(s, EthInShort);
		return;
	}
	bool group = eth_is_multicast(&eth.dst);
	if (!group && !macaddr_equal(&eth.dst, &s->config.mac)) {
		COUNT(s, EthInNotForUs);
		return;
	}
	const uint8_t *payload = f->data + ETH_HDR_LEN;
	size_t len = f->len - ETH_HDR_LEN;
	if (eth.ethertype == ETH_TYPE_IPV4)
		ip_input(s, payload, len, f, group, now);
	else if (eth.ethertype == ETH_TYPE_ARP)
		arp_input(s, payload, len, now);
	else
		COUNT(s, EthInUnknownType);
}

void stack_input_end(struct stack *s, nsec now)
{
	gro_end(s, now);
}

int stack_emit(struct stack *s, const struct tx_frame *f, nsec now)
{
	int rc = s->ops.emit(s->ctx, f, now);

	if (rc == -EAGAIN && !s->link_busy.armed)
		timer_arm(&s->timers, &s->link_busy, now + LINK_BUSY_RETRY);
	return rc;
}

/*
 * Packets to ourselves may ask for answers to ourselves, so sending and taking in alternate, a
 * bounded time.
 */
void stack_poll(struct stack *s, nsec now)
{
	timers_run(&s->timers, now);
	tcp_poll(s, now);
	for (int round = 0; round < LOOP_ROUNDS_MAX && loop_drain(s, now); round++)
		tcp_poll(s, now);
}

nsec stack_deadline(const struct stack *s)
{
	return list_empty(&s->loop.queue) ? timers_next(&s->timers) : 0;
}

const struct counters *stack_counters(const struct stack *s)
{
	return &s->counters;
}

size_t stack_memory(const struct stack *s)
{
	return s->memory;
}
