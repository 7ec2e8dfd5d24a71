/*
 * JSON for machines, printed as it comes: a comma where one is due, strings escaped.
 */
#ifndef TEECEE_CLI_JSON_H
#define TEECEE_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct json {
	bool started; /* something stands in the present object or list */
};

void json_open(struct json *j, const char *name, char bracket); /* name NULL: none */
void json_close(struct json *j, char bracket);
void json_text(struct json *j, const char *name, const char *value);
void json_number(struct json *j, const char *name, uint64_t value);

#endif
