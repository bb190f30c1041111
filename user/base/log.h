/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error: `sonde: LEVEL: text`. Only load/, serve/, the senders and the commands log. */
#ifndef SONDE_BASE_LOG_H
#define SONDE_BASE_LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Lines above this level are dropped. Default LOG_LEVEL_INFO. Set once, before threads start. */
void log_set_level(enum log_level level);
enum log_level log_level_now(void);

/* Write one line; thread-safe (one write call). A trailing newline is added. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
