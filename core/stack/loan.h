/* Memory that a connection sends from, and that is somebody else's (tcp_send_lend). */
#ifndef TEECEE_STACK_LOAN_H
#define TEECEE_STACK_LOAN_H

#include <stdint.h>

enum { LOAN_MIN = 16 << 10 }; /* bytes */

struct loan {
	const uint8_t *data;
	uint32_t len;
	/* Called once, with some byte of it, when it is not needed any more. */
	void (*done)(void *ctx, const uint8_t *data);
	void *ctx;
};

#endif
