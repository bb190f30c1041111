/* SPDX-License-Identifier: Apache-2.0 */
/* One line, one write: threads cannot interleave, and a line cut at the buffer's end still ends. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum log_level level_limit = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	level_limit = level;
}

enum log_level log_level_now(void)
{
	return level_limit;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	char line[1024];
	va_list args;
	int prefix, text;
	size_t length;

	if (level > level_limit)
		return;
	prefix = snprintf(line, sizeof(line), "sonde: %s: ", names[level]);
	va_start(args, format);
	text = vsnprintf(line + prefix, sizeof(line) - (size_t)prefix - 1, format, args);
	va_end(args);
	if (text < 0)
		return;
	length = strlen(line);
	if (line[length - 1] != '\n')
		line[length++] = '\n';
	(void)!write(STDERR_FILENO, line, length); /* nowhere to report a failing standard error */
}
