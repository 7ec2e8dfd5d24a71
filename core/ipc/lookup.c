#include "core/ipc/lookup.h"

#include <string.h>

/* NUL-terminated strings one behind the other; an empty one ends them. */
static bool is_domain_list(const char *list, size_t size)
{
	return list[size - 1] == '\0' && list[size - 2] == '\0';
}

bool ipc_lookup_check(const struct ipc_lookup *m, size_t len)
{
	if (!ipc_check(m, len, IPC_LOOKUP, sizeof *m) || len != sizeof *m)
		return false;
	if (m->kind < IPC_LOOKUP_FORWARD || m->kind >= IPC_LOOKUP_KINDS)
		return false;
	if (m->nservers > SETTINGS_DNS_MAX || !is_domain_list(m->domains, sizeof m->domains))
		return false;
	if (m->name_len >= sizeof m->name || (m->kind == IPC_LOOKUP_SEND && m->name_len == 0))
		return false;
	return m->kind == IPC_LOOKUP_SEND || m->name[m->name_len] == '\0';
}

void ipc_answer_begin(struct ipc_answer *a, int status)
{
	*a = (struct ipc_answer){.h = ipc_header(IPC_ANSWER, sizeof *a), .status = status};
}

size_t ipc_answer_data_len(const struct ipc_answer *a)
{
	return a->h.len - sizeof *a;
}

bool ipc_answer_add_bytes(struct ipc_answer *a, const void *data, size_t len)
{
	size_t used = ipc_answer_data_len(a);

	if (len > IPC_ANSWER_DATA_MAX - used)
		return false;
	if (len > 0)
		memcpy(a->data + used, data, len);
	a->h.len += (uint32_t)len;
	return true;
}

bool ipc_answer_add_addr(struct ipc_answer *a, const struct ipaddr *addr)
{
	if (a->naddrs == UINT16_MAX || !ipc_answer_add_bytes(a, addr, sizeof *addr))
		return false;
	a->naddrs++;
	return true;
}

bool ipc_answer_add_name(struct ipc_answer *a, const char *name)
{
	if (a->nnames == UINT16_MAX || !ipc_answer_add_bytes(a, name, strlen(name) + 1))
		return false;
	a->nnames++;
	return true;
}

bool ipc_answer_check(const struct ipc_answer *a, size_t len)
{
	if (len < sizeof *a || !ipc_check(a, len, IPC_ANSWER, len))
		return false;
	size_t left = ipc_answer_data_len(a);
	if (left > IPC_ANSWER_DATA_MAX || left < a->naddrs * sizeof(struct ipaddr))
		return false;
	const uint8_t *at = a->data + a->naddrs * sizeof(struct ipaddr);
	left -= a->naddrs * sizeof(struct ipaddr);
	for (unsigned i = 0; i < a->nnames; i++) {
		const uint8_t *end = left ? memchr(at, '\0', left) : NULL;
		if (!end)
			return false;
		left -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	return true;
}

struct ipaddr ipc_answer_addr(const struct ipc_answer *a, unsigned i)
{
	struct ipaddr addr;

	memcpy(&addr, a->data + i * sizeof addr, sizeof addr);
	return addr;
}

const char *ipc_answer_name(const struct ipc_answer *a)
{
	return (const char *)a->data + a->naddrs * sizeof(struct ipaddr);
}

const char *ipc_answer_next_name(const char *name)
{
	return name + strlen(name) + 1;
}
