/*
 * Rules of impairment from arbitrary text: taken or refused with one line, and what is taken is
 * within the bounds that the link relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/ipc/impair_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_start(const struct fault_start *f)
{
	require(f->after >= 0 && f->lasts >= 0);
	require(f->set || (!f->by_time && !f->bytes && !f->after));
}

static void check_rule(const struct impair_rule *r)
{
	const uint32_t all[] = {
		r->loss, r->duplicate, r->reorder, r->corrupt, r->p, r->r, r->loss_in_bad, r->loss_in_good};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		require(all[i] <= PROBABILITY_ONE);
	require(r->direction <= IMPAIR_OUT && r->distribution <= IMPAIR_PARETO);
	require(memchr(r->match, '\0', sizeof r->match));
	require(r->delay >= 0 && r->jitter >= 0 && r->accept_delay >= 0);
	require(r->slot_min >= 0 && r->slot_min <= r->slot_max);
	require(r->limit >= 1);
	check_start(&r->reset);
	check_start(&r->blackhole);
	check_start(&r->window_zero);
	require(impair_rule_is_of_frames(r) || impair_rule_is_of_connections(r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), error[IMPAIR_ERROR_LEN];
	struct impairment rules;
	uint64_t number;

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(error, 'x', sizeof error);
	if (impair_parse(&rules, text, error) == 0) {
		require(rules.n <= IMPAIR_RULES_MAX);
		for (unsigned i = 0; i < rules.n; i++)
			check_rule(&rules.rule[i]);
	} else {
		require(memchr(error, '\0', sizeof error) && error[0] && !strchr(error, '\n'));
	}
	impair_parse_size(text, &number);
	free(text);
	return 0;
}
