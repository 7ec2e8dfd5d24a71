#include "core/cli/json.h"

#include <stdio.h>

static void put_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == '"' || c == '\\' || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void put_name(struct json *j, const char *name)
{
	if (j->started)
		putchar(',');
	j->started = true;
	if (!name)
		return;
	put_string(name);
	putchar(':');
}

void json_open(struct json *j, const char *name, char bracket)
{
	put_name(j, name);
	putchar(bracket);
	j->started = false;
}

void json_close(struct json *j, char bracket)
{
	putchar(bracket);
	j->started = true;
}

void json_text(struct json *j, const char *name, const char *value)
{
	put_name(j, name);
	put_string(value);
}

void json_number(struct json *j, const char *name, uint64_t value)
{
	put_name(j, name);
	printf("%llu", (unsigned long long)value);
}
