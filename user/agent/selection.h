/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes the running agent looks at. What it does not look at costs the kernel side one look-up a call. Owner
 * thread only. */
#ifndef SONDE_AGENT_SELECTION_H
#define SONDE_AGENT_SELECTION_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/selection_rules.h"
#include "event_abi.h"

struct agent;

/* A process began to run a program, or was found running: decide about it.
 *
 * exec  of its PROCESS_EXEC event */
void selection_take_exec(struct agent *agent, const struct event_header *exec);

/* What rules ask after may have changed: decide again, at most once a second. What only /proc tells is asked every second
 * while a process is young and every ten seconds later. */
void selection_review(struct agent *agent, uint64_t now_ns);

/* The rules, and how many processes are looked at. For `struct control_topic`. */
int selection_write(void *context, size_t limit, json_t **ret_data, size_t *ret_total);

/* Other rules from now on, as {"only": [...], "skip": [...]}. Bad ones change nothing. The same. */
int selection_set(void *context, const json_t *value, char *ret_why, size_t why_bytes);

#endif
