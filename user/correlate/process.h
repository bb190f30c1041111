/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of the machine and the service each one belongs to. Filled by process events only: what
 * user space finds in /proc arrives as an event too (PROCESS_FOUND), so that a recording holds it. */
#ifndef SONDE_CORRELATE_PROCESS_H
#define SONDE_CORRELATE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "decode/event.h"

#define SERVICE_NAME_MAX 128

/* A process. Held by reference count: series and connections may outlive it. */
struct process {
	struct table_node node;
	uint64_t start_ns;  /* CLOCK_BOOTTIME; 0 unknown */
	uint64_t exited_ns; /* CLOCK_MONOTONIC of its exit event; 0: alive as far as we know */
	uint64_t identity; /* of tgid and names together: another number whenever one of them changes */
	uint32_t tgid;
	uint32_t parent_tgid;
	unsigned references;
	bool is_ignored;		 /* not selected */
	bool is_speaking;		 /* it had a request, or an answer */
	bool is_instrumented;		 /* its own tracer makes spans (join_instrumented.c) */
	bool is_renewing;		 /* was ignored until now: for who decides that */
	char executable[64];		 /* base name of the program: process_executable_name */
	char path[PROCESS_PATH_MAX + 1]; /* like the others made fit to be shown (shown_text.h) */
	char service[SERVICE_NAME_MAX];
};

struct process_table;

/* Called by process_lookup, never while feeding, for a tgid that no event has named yet (process_lookup_newest: or only its
 * parent's name); it may feed events into the table (from the process ring,
 * from /proc) before it returns. NULL in replay: the recording has those events. */
typedef void (*process_catch_up)(void *context, uint32_t tgid);

/* Returns the table or NULL (out of memory). limit: processes held; the oldest dead one, then the
 * oldest, is evicted when full (counted). */
struct process_table *process_table_new(size_t limit, process_catch_up catch_up, void *context);
void process_table_free(struct process_table **table);

/* Take in a PROCESS_EXEC, PROCESS_FORK or PROCESS_EXIT event. Returns 0 or -ENOMEM. */
int process_table_feed(struct process_table *table, const struct event *event);

/* The process of a tgid, made up as "unknown" when nothing is known of it. Borrowed until the next call that
 * feeds or looks up, unless a reference is taken. Never NULL except when out of memory. */
struct process *process_lookup(struct process_table *table, uint32_t tgid);

/* The same for who has read something newer than the process events: catch_up is also asked about a process that has not
 * run a program since its fork, as far as is known. */
struct process *process_lookup_newest(struct process_table *table, uint32_t tgid);

/* Whether an event has named the process's program; never asks catch_up. */
bool process_is_known(struct process_table *table, uint32_t tgid);

/* Whether the table holds it and no exit was seen; never asks catch_up. */
bool process_is_alive(struct process_table *table, uint32_t tgid);

/* An exit that no event told: whoever finds it out says so. Nothing happens when the table does not hold it. */
void process_mark_exited(struct process_table *table, uint32_t tgid, uint64_t ktime_ns);

/* It has a request, or an answer. */
void process_mark_speaking(struct process_table *table, uint32_t tgid);
/* How many were marked that were not before, ever. */
uint64_t process_table_spoke(const struct process_table *table);

/* It makes spans of its own, until it runs another program. */
void process_mark_instrumented(struct process_table *table, uint32_t tgid);

struct process *process_ref(struct process *process);
void process_unref(struct process **process);

/* Forget processes that ended more than keep_ns before now_ns. */
void process_table_expire(struct process_table *table, uint64_t now_ns, uint64_t keep_ns);

/* Walk in order of last use, newest first; return non-zero from visit to stop. */
void process_table_each(struct process_table *table, int (*visit)(void *context, struct process *),
			void *context);

size_t process_table_count(const struct process_table *table);
uint64_t process_table_evicted(const struct process_table *table);

/* Write what the table knows of a process as a PROCESS_EXEC event with PROCESS_FOUND; fed to another table it gives the
 * same service and executable. An ended process is told as running; its end comes late or never, like its start.
 *
 * buffer   8-byte aligned, PROCESS_EVENT_MAX bytes
 * Returns  bytes written */
#define PROCESS_EVENT_MAX \
	(sizeof(struct event_process_exec) + PROCESS_PATH_MAX + SERVICE_NAME_MAX + 8)
size_t process_describe(const struct process *process, uint64_t ktime_ns, void *buffer);

/* What a person would call the service (pure).
 *
 * Order: OTEL_SERVICE_NAME; service.name in OTEL_RESOURCE_ATTRIBUTES (percent-decoded, W3C baggage rules);
 * systemd unit from the control group; `java -jar shop.jar` → shop, `python3 app.py` → app, `node server.js`
 * → server and their like; else the base name of the executable.
 *
 * exec, payload  a process_exec event and its payload, already decoded
 * ret_name       always terminated, control characters and bad UTF-8 replaced */
void service_name_choose(const struct event *exec, char ret_name[SERVICE_NAME_MAX]);

/* Read a running process from /proc as a PROCESS_EXEC event with PROCESS_FOUND.
 *
 * buffer   8-byte aligned, at least PROCFS_EVENT_MAX bytes
 * Returns  bytes written; negative errno (-ESRCH: gone, or a kernel thread) */
#define PROCFS_EVENT_MAX 2048
int procfs_read_process(uint32_t tgid, void *buffer, size_t size);

/* Let such an event say another service name. Its buffer has room for SERVICE_NAME_MAX bytes more. Returns its new length. */
size_t procfs_rename(void *event, const char *service);

/* What of a running process may change without an event. */
struct procfs_standing {
	uint32_t owner; /* effective user */
	char cgroup[PROCESS_CGROUP_MAX + 1];
};

/* Returns 0; -ESRCH: gone; negative errno */
int procfs_read_standing(uint32_t tgid, struct procfs_standing *ret_standing);

/* Call visit for every process of the machine, kernel threads included; non-zero from it stops the walk.
 * Returns what visit returned last; negative errno when /proc cannot be read */
int procfs_each_process(int (*visit)(void *context, uint32_t tgid), void *context);

#endif
