/*
 * Socks come and go here: accepted from the data name, freed at the end of the turn in which they
 * ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine/dgram.h"
#include "core/engine/lend.h"
#include "core/engine/sock.h"

enum { ACCEPTS_PER_TURN = 512 };
enum { SOCK_EVENTS = EPOLLIN | EPOLLPRI | EPOLLRDHUP | (int)EPOLLET };

static void sock_ready(struct engine *e, struct source *src, uint32_t events)
{
	struct sock *s = CONTAINER_OF(src, struct sock, src);

	if (events == EPOLLIN && s->drained_in == e->turn)
		return; /* it was read after the epoll had seen that */
	s->events |= events;
	sock_due(e, s);
	/* What was closed before others came is gone when they are served: its port is free. */
	if ((events & EPOLLHUP) && !list_empty(&s->due_link)) {
		list_remove(&s->due_link);
		list_prepend(&e->due, &s->due_link);
	}
}

struct sock *sock_new(struct engine *e, int fd)
{
	struct sock *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->src = (struct source){.fd = fd, .class = SOURCE_DATA, .ready = sock_ready};
	s->in_hand_fd = -1;
	list_init(&s->due_link);
	list_init(&s->dirty_link);
	list_init(&s->aging_link);
	list_init(&s->linger_link);
	list_init(&s->starved_link);
	list_init(&s->unread_link);
	/* Urgent bytes are read at their place; where that is says SIOCATMARK. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int));
	if (loop_add(e, &s->src, SOCK_EVENTS)) {
		close(fd);
		free(s);
		return NULL;
	}
	list_append(&e->socks, &s->link);
	e->nsocks++;
	return s;
}

void sock_due(struct engine *e, struct sock *s)
{
	if (list_empty(&s->due_link) && s->state != ST_DEAD)
		list_append(&e->due, &s->due_link);
}

void sock_dirty(struct engine *e, struct sock *s)
{
	if (list_empty(&s->dirty_link) && s->state != ST_DEAD)
		list_append(&e->dirty, &s->dirty_link);
}

void sock_want_out(struct engine *e, struct sock *s, bool on)
{
	if (s->out_armed == on)
		return;
	s->out_armed = on;
	/* MOD looks at once, so what became writable a moment ago is not missed. */
	loop_rearm(e, &s->src, SOCK_EVENTS | (on ? EPOLLOUT : 0));
}

void sock_free(struct engine *e, struct sock *s, int error)
{
	if (s->state == ST_DEAD)
		return;
	bool listened = s->state == ST_LISTENING;
	if (listened)
		accept_drop_hand(e, s);
	s->state = ST_DEAD;
	ipc_cork_word *word = lend_word(e, s);
	e->raised -= s->raised;
	table_release(e, s, error);
	close(s->src.fd);
	s->src.fd = -1;
	if (word)
		lend_forget(e, word, s->cookie); /* now no token can be sent any more */
	struct endpoint local = s->tcp ? *tcp_local(s->tcp) : (struct endpoint){0};
	if (s->tcp)
		tcp_close(s->tcp, e->now);
	s->tcp = NULL;
	if (s->dgram)
		dgram_drop(e, s);
	list_remove(&s->due_link);
	list_remove(&s->linger_link);
	list_remove(&s->starved_link);
	list_remove(&s->unread_link);
	list_remove(&s->link);
	list_append(&e->dead, &s->link);
	if (listened && e->table)
		table_note_listener(e, &local);
	e->nsocks--;
}

void sock_free_clean(struct engine *e, struct sock *s)
{
	ssize_t got;

	/* Once it sends no more, `held` is all there is. */
	do {
		got = recv(s->src.fd, e->scratch, sizeof(e->scratch), MSG_DONTWAIT);
	} while (got > 0 && (s->send == SEND_OPEN || got < (ssize_t)s->held));
	sock_free(e, s, 0);
}

static unsigned fds_left(const struct engine *e)
{
	unsigned used = e->nclients + e->nsocks;

	return used < e->fd_limit ? e->fd_limit - used : 0;
}

/* No fd for anybody: the programs wait in the backlog until one is closed (loop_bury). */
static void pause_accepting(struct engine *e)
{
	e->counters.accept_failures++;
	e->data_paused = true;
	loop_rearm(e, &e->data, 0);
	loop_rearm(e, &e->dgrams, 0);
}

static void newcomer(struct engine *e, int fd, bool is_dgram)
{
	struct sock *s;
	uid_t uid;
	pid_t pid;

	if (ipc_peer(fd, &uid, &pid) < 0) {
		close(fd);
		return;
	}
	if (pid == e->pid && uid == e->uid && !is_dgram) {
		accept_adopt(e, fd);
		return;
	}
	s = sock_new(e, fd);
	if (!s) {
		e->counters.socks_refused++;
		return;
	}
	s->pid = pid;
	s->foreign = uid != e->uid;
	s->refuse = fds_left(e) < ENGINE_FD_RESERVE || e->nsocks > ENGINE_SOCKS_MAX ? ENFILE : 0;
	s->is_dgram = is_dgram;
	sock_due(e, s);
}

/*
 * One alone is the rule: it is taken without another call that only says so. Where one turn after
 * the other finds somebody, there may be many: each takes twice as many as the one before.
 */
static unsigned how_many(struct engine *e)
{
	bool again = e->turn - e->accepted_in == 1;

	e->accepted_in = e->turn;
	e->accepts = again ? MIN(2 * e->accepts, (unsigned)ACCEPTS_PER_TURN) : 1;
	return e->accepts;
}

void sock_accept_ready(struct engine *e, struct source *src, uint32_t events)
{
	unsigned most = how_many(e);

	for (unsigned i = 0; i < most && !e->data_paused; i++) {
		int fd = -1;

		if (fds_left(e) > ENGINE_FD_LAST)
			fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		else
			errno = EMFILE;
		if (fd >= 0)
			newcomer(e, fd, src == &e->dgrams);
		else if (errno == EAGAIN)
			return;
		else if (errno != ECONNABORTED && errno != EINTR)
			pause_accepting(e);
	}
}
