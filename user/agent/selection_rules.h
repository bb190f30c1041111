/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that say which processes are looked at, and whether a process satisfies them.
 *
 * A rule is conditions, all of which must hold: `exe=/usr/sbin/nginx,owner=www-data`. A process is looked at when it satisfies
 * one of the `only` rules, or there are none, and none of the `skip` rules. Conditions:
 *   exe=GLOB      path of the executable
 *   service=GLOB  service_name as on /metrics
 *   port=N[-M]    a TCP port that the process listens on
 *   owner=USER    effective user, by name or number
 *   cgroup=GLOB   control group, below its hierarchy's root
 *   age=SECONDS   it has run at least so long */
#ifndef SONDE_AGENT_SELECTION_RULES_H
#define SONDE_AGENT_SELECTION_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SELECTION_RULES_MAX 64 /* of each list */
#define SELECTION_RULE_BYTES 256
#define SELECTION_PORTS_MAX 32 /* of one process; more are not looked at */

enum selection_list {
	SELECTION_ONLY,
	SELECTION_SKIP,
	SELECTION_LIST_COUNT,
};

/* What rules ask after that is not told by the process's events and may change while it runs. */
enum selection_need {
	SELECTION_NEEDS_PORTS = 1 << 0,
	SELECTION_NEEDS_OWNER = 1 << 1,
	SELECTION_NEEDS_CGROUP = 1 << 2,
	SELECTION_NEEDS_AGE = 1 << 3,
};

struct selection_rules;

/* Facts that no rule needs may be left zero. */
struct selection_facts {
	const char *path;
	const char *service;
	const char *cgroup;
	const uint16_t *ports;
	size_t port_count;
	uint64_t age_ns;
	uint32_t owner;
};

struct selection_rules *selection_rules_new(void); /* NULL: out of memory */
void selection_rules_free(struct selection_rules **rules);

/* Add a rule to a list.
 * ret_why  what is wrong with the rule and what is right, always terminated
 * Returns  0; -EINVAL; -ENOSPC when the list is full */
int selection_rules_add(struct selection_rules *rules, enum selection_list list, const char *text,
			char *ret_why, size_t why_bytes);

unsigned selection_rules_need(const struct selection_rules *rules); /* enum selection_need */
bool selection_rules_want(const struct selection_rules *rules, const struct selection_facts *facts);

bool selection_rules_are_none(const struct selection_rules *rules);

/* The text of a rule, NULL behind the last. Borrowed. */
const char *selection_rules_text(const struct selection_rules *rules, enum selection_list list,
				 size_t index);

#endif
