/* The resolver's calls of <resolv.h>: DNS messages, asked for by the engine. */
#include "preload/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int give_message(const struct ipc_answer *a, unsigned char *out, int len)
{
	size_t n = ipc_answer_data_len(a), room = len > 0 ? (size_t)len : 0;

	memcpy(out, a->data, n < room ? n : room);
	return (int)n;
}

static int fail(struct __res_state *state, int status)
{
	h_errno = state->res_h_errno = status;
	return -1;
}

int names_message(struct __res_state *state, enum ipc_lookup_kind kind, const char *name, int class,
	int type, unsigned char *out, int len)
{
	struct ipc_lookup q;
	struct ipc_answer *a;

	if (!names_question(&q, kind, name))
		return fail(state, NO_RECOVERY);
	q.class = (uint16_t) class;
	q.type = (uint16_t)type;
	names_question_state(&q, state);
	int status = names_ask(&q, &a);
	int n = a ? give_message(a, out, len) : 0;
	free(a);
	if (status)
		return fail(state, status);
	state->res_h_errno = NETDB_SUCCESS;
	return n;
}

int names_message_of(struct __res_state *state, const unsigned char *query, int query_len,
	unsigned char *out, int len)
{
	struct ipc_lookup q;
	struct ipc_answer *a;

	if (query_len <= 0 || (size_t)query_len >= sizeof q.name || len < NS_HFIXEDSZ) {
		errno = EINVAL;
		return -1;
	}
	names_question(&q, IPC_LOOKUP_SEND, "");
	memcpy(q.name, query, (size_t)query_len);
	q.name_len = (uint16_t)query_len;
	names_question_state(&q, state);
	int status = names_ask(&q, &a);
	int n = a ? give_message(a, out, len) : 0;
	free(a);
	if (n == 0) {
		errno = status == NETDB_INTERNAL ? errno : ETIMEDOUT;
		return -1;
	}
	return n;
}
