#include "core/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 512 };

void log_line(const char *format, ...)
{
	static const char prefix[] = "teecee: ";
	char line[LINE_MAX_BYTES];
	int saved_errno = errno;
	size_t at = sizeof prefix - 1;
	va_list args;

	__builtin_memcpy(line, prefix, at);
	va_start(args, format);
	int n = vsnprintf(line + at, sizeof line - at - 1, format, args);
	va_end(args);
	if (n > 0)
		at += (size_t)n < sizeof line - at - 1 ? (size_t)n : sizeof line - at - 2;
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0) {
		/* nobody left to tell */
	}
	errno = saved_errno;
}
