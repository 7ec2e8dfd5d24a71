/*
 * Membership of multicast groups, and telling the routers and switches about it (RFC 1112, RFC
 * 2236, RFC 3376).
 */
#ifndef TEECEE_STACK_IGMP_H
#define TEECEE_STACK_IGMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/list.h"
#include "core/base/time.h"

struct stack;

struct igmp_state {
	struct list groups;
	nsec v1_until, v2_until; /* an older querier was heard: its language until then */
};

void igmp_init(struct stack *s);
void igmp_flush(struct stack *s);

/* One member more or less of a group: 0 or -ENOMEM. The wire hears of the first and the last. */
int igmp_join(struct stack *s, const struct ipaddr *group, nsec now);
void igmp_leave(struct stack *s, const struct ipaddr *group, nsec now);

/* Whether what is sent to `group` is for somebody here; 224.0.0.1 always is. */
bool igmp_is_member(const struct stack *s, const struct ipaddr *group);

/* An IGMP message whose IP header was fine. */
void igmp_input(struct stack *s, const uint8_t *data, size_t len, nsec now);

#endif
