/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations as text, turned into the events that the kernel side makes of them (bpf/lib/turn.bpf.h), and what the
 * engine reports as text again. */
#ifndef SONDE_TESTS_SCRIPT_H
#define SONDE_TESTS_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "correlate/engine.h"

#define SCRIPT_TGID 42
#define SCRIPT_LOG_MAX 8192
#define SCRIPT_BY_BYTE SIZE_MAX

/* One step of a conversation. */
struct step {
	char what; /* 'R'ead, 'W'rite, 's'endfile, 'u'nseen read, 't'ick of `number` ms, half-close 'h', 0: end */
	const char *text;
	size_t number; /* bytes not captured; milliseconds */
};

/* A connection as the kernel side keeps it, and an engine with everything around it. */
struct script {
	struct engine *engine;
	struct process_table *processes;
	uint64_t now_ns;
	struct conn_ref conn;
	struct turn_summary turn;
	uint32_t captured;
	uint32_t prefix_bytes;
	enum conn_mode mode;
	int drop_event; /* the nth TURN event from now is lost; 0: none */
	int drop_more;	/* and so many after it */
	size_t questions;
	bool with_bodies; /* log body sizes */
	bool with_times;  /* log microseconds: start and end */
	bool is_open;
	char log[SCRIPT_LOG_MAX];
	size_t log_bytes;
};

/* Returns 0 or -ENOMEM. */
int script_open(struct script *script, const struct engine_limits *limits);
void script_close(struct script *script);

/* Begin another connection. */
void script_connect(struct script *script, enum conn_role role, uint8_t flags);

/* One system call that moves bytes. bytes NULL: sendfile. */
void script_call(struct script *script, enum turn_dir dir, const char *bytes, size_t length);
/* A write whose return is seen after that of a read which follows it. */
void script_race(struct script *script, const char *written, const char *read);
void script_tick(struct script *script, uint64_t milliseconds);
void script_half_close(struct script *script);
void script_hang_up(struct script *script, uint8_t flags);

/* Hand one event of any kind to the engine. */
void script_feed(struct script *script, const void *bytes, size_t length);

/* Run steps; the step numbered `split_step` is done in two calls, split at `split_at`. Nothing is split when it
 * is past the end. split_at SCRIPT_BY_BYTE: all steps, one byte a call. */
void script_run(struct script *script, const struct step *steps, size_t split_step,
		size_t split_at);

#endif
