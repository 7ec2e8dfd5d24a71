/*
 * Intrusive doubly linked list. A list head and a link are the same struct, circular; a link that
 * is in no list points to itself, so that list_remove is safe to call twice.
 */
#ifndef TEECEE_BASE_LIST_H
#define TEECEE_BASE_LIST_H

#include <stdbool.h>

#include "core/base/bytes.h"

struct list {
	struct list *next, *prev;
};

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

/* Walks a list; the current element may be removed (and freed) by the body. */
#define LIST_FOR_EACH(pos, head)                                                                   \
	for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head);              \
	     pos = pos##_next, pos##_next = pos->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

/* Adds an unlinked `l` at the end of `head`. */
static inline void list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

/* Adds an unlinked `l` at the front of `head`. */
static inline void list_prepend(struct list *head, struct list *l)
{
	list_append(head->next, l);
}

static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* The first element, or NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

/* Moves every element of `from` to the end of `to`, in order; `from` ends empty. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	from->prev->next = to;
	to->prev->next = from->next;
	to->prev = from->prev;
	list_init(from);
}

#endif
