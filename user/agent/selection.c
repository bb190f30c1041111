/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of processes are gathered as far as the rules need them, and what was decided is told to the kernel side. */
#include "agent/selection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "load/kernel_table.h"

#define REVIEW_NS NS_PER_SECOND
#define YOUNG_NS (10 * NS_PER_SECOND)
#define REVIEW_OLD_NS (10 * NS_PER_SECOND)
/* Workers that were forked serve what their parents listen on. */
#define FORKED_DEPTH_MAX 4
#define LISTENERS_MAX 1024 /* as many as the kernel side tracks */

struct listening {
	uint32_t tgid;
	uint16_t port;
};

/* One look at processes. */
struct review {
	struct agent *agent;
	unsigned needs; /* enum selection_need */
	uint64_t now_boot_ns;
	uint64_t seen_since_ns; /* the kernel side has looked at the process in hand since then, whatever we thought; 0: it has not */
	bool is_of_all;		/* else only /proc's young ones */
	bool is_renewing;
	size_t listening_count;
	struct listening listening[LISTENERS_MAX];
	struct procfs_standing standing; /* of the process in hand */
	uint16_t ports[SELECTION_PORTS_MAX];
};

static void take_listener(void *context, const void *key, const void *value)
{
	struct review *review = context;
	const struct listener_state *listener = value;

	(void)key;
	if (review->listening_count < LISTENERS_MAX)
		review->listening[review->listening_count++] =
			(struct listening){ listener->tgid, listener->port };
}

static struct review *review_new(struct agent *agent)
{
	struct review *review = calloc(1, sizeof(*review));

	if (!review)
		return NULL;
	review->agent = agent;
	review->needs = selection_rules_need(agent->selection.rules);
	review->now_boot_ns = clock_ns(CLOCK_BOOTTIME);
	if (review->needs & SELECTION_NEEDS_PORTS)
		(void)kernel_table_each(
			loader_map(agent->loader, "listener_by_sock"), /* next time */
			sizeof(uint64_t), sizeof(struct listener_state), take_listener, review);
	return review;
}

static size_t add_ports(struct review *review, uint32_t tgid, size_t count)
{
	for (size_t i = 0; i < review->listening_count && count < SELECTION_PORTS_MAX; i++)
		if (review->listening[i].tgid == tgid)
			review->ports[count++] = review->listening[i].port;
	return count;
}

static size_t find_ports(struct review *review, const struct process *process)
{
	size_t count = add_ports(review, process->tgid, 0);
	const struct process *parent = process;

	for (int i = 0; i < FORKED_DEPTH_MAX && parent->parent_tgid > 1; i++) {
		if (!process_is_known(review->agent->processes, parent->parent_tgid))
			break;
		parent = process_lookup(review->agent->processes, parent->parent_tgid);
		if (!parent || strcmp(parent->path, process->path) != 0)
			break;
		count = add_ports(review, parent->tgid, count);
	}
	return count;
}

/* Returns false when the process is gone, or need not be asked now. */
static bool find_facts(struct review *review, const struct process *process,
		       struct selection_facts *ret_facts)
{
	uint64_t start_ns = process->start_ns;
	uint64_t age_ns = review->now_boot_ns > start_ns ? review->now_boot_ns - start_ns : 0;

	*ret_facts = (struct selection_facts){ .path = process->path,
					       .service = process->service,
					       .ports = review->ports,
					       .age_ns = age_ns };
	if (review->needs & (SELECTION_NEEDS_OWNER | SELECTION_NEEDS_CGROUP)) {
		if (age_ns > YOUNG_NS && !review->is_of_all)
			return false;
		if (procfs_read_standing(process->tgid, &review->standing))
			return false;
		ret_facts->owner = review->standing.owner;
		ret_facts->cgroup = review->standing.cgroup;
	}
	if (review->needs & SELECTION_NEEDS_PORTS)
		ret_facts->port_count = find_ports(review, process);
	return true;
}

static void decide(struct review *review, struct process *process)
{
	struct selection_facts facts;
	bool is_ignored;

	if (!find_facts(review, process, &facts))
		return;
	is_ignored = !selection_rules_want(review->agent->selection.rules, &facts);
	if (!is_ignored && process->is_ignored)
		review->is_renewing = process->is_renewing = true;
	if (is_ignored || process->is_ignored)
		(void)loader_control(review->agent->loader, CONTROL_PROCESS_FLAGS, process->tgid,
				     0, /* gone already: nothing to do */
				     is_ignored ? PROCESS_IGNORED : 0);
	process->is_ignored = is_ignored;
}

static void renew_connection(void *context, const void *key, const void *value)
{
	struct review *review = context;
	const struct conn_state *conn = value;
	const struct process *process =
		process_is_known(review->agent->processes, conn->tgid) ?
			process_lookup(review->agent->processes, conn->tgid) :
			NULL;

	if (process && process->is_renewing &&
	    (!review->seen_since_ns || conn->opened_ns < review->seen_since_ns))
		(void)loader_control(review->agent->loader, CONTROL_CONN_RENEW,
				     *(const uint64_t *)key, conn->conn_id,
				     0); /* closed: no matter */
}

static int end_renewing(void *context, struct process *process)
{
	(void)context;
	process->is_renewing = false;
	return 0;
}

/* What was said on connections while nobody looked is not known. */
static void review_finish(struct review *review)
{
	if (!review->is_renewing)
		return;
	(void)kernel_table_each(loader_map(review->agent->loader, "conn_by_sock"), sizeof(uint64_t),
				sizeof(struct conn_state), renew_connection, review);
	process_table_each(review->agent->processes, end_renewing, NULL);
}

static int visit_process(void *context, struct process *process)
{
	if (!process->exited_ns)
		decide(context, process);
	return 0;
}

/* The kernel side has forgotten at the exec what was decided for the program before. We are told later: what the new program opened
 * meanwhile was seen from its start. */
void selection_take_exec(struct agent *agent, const struct event_header *exec)
{
	_cleanup_free_ struct review *review = NULL;
	struct process *process;

	if (selection_rules_are_none(agent->selection.rules))
		return;
	review = review_new(agent);
	process = process_lookup(agent->processes, exec->tgid);
	if (!review || !process)
		return;
	review->seen_since_ns = exec->ktime_ns;
	review->is_of_all = true;
	decide(review, process);
	review_finish(review);
}

static void review_all(struct agent *agent, bool is_of_all)
{
	_cleanup_free_ struct review *review = review_new(agent);

	if (!review)
		return; /* next time */
	review->is_of_all = is_of_all;
	process_table_each(agent->processes, visit_process, review);
	review_finish(review);
}

void selection_review(struct agent *agent, uint64_t now_ns)
{
	struct selection *selection = &agent->selection;
	bool is_of_all = now_ns - selection->reviewed_all_ns >= REVIEW_OLD_NS;

	if (!selection_rules_need(selection->rules) || now_ns - selection->reviewed_ns < REVIEW_NS)
		return;
	selection->reviewed_ns = now_ns;
	if (is_of_all)
		selection->reviewed_all_ns = now_ns;
	review_all(agent, is_of_all);
}

static const char *const list_names[SELECTION_LIST_COUNT] = {
	[SELECTION_ONLY] = "only",
	[SELECTION_SKIP] = "skip",
};

static int count_process(void *context, struct process *process)
{
	size_t *counts = context;

	if (!process->exited_ns)
		counts[process->is_ignored]++;
	return 0;
}

static json_t *rule_rows(const struct selection_rules *rules)
{
	json_t *rows = json_array();
	const char *text;

	for (size_t list = 0; list < SELECTION_LIST_COUNT; list++)
		for (size_t i = 0; (text = selection_rules_text(rules, list, i)) != NULL; i++)
			(void)json_array_append_new(rows,
						    json_pack("{s:s, s:s}", "list",
							      list_names[list], "rule", text));
	return rows;
}

int selection_write(void *context, size_t limit, json_t **ret_data, size_t *ret_total)
{
	struct agent *agent = context;
	size_t counts[2] = { 0 };

	(void)limit;
	(void)ret_total;
	process_table_each(agent->processes, count_process, counts);
	*ret_data = json_pack("{s:I, s:I, s:o}", "processes_selected", (json_int_t)counts[0],
			      "processes_ignored", (json_int_t)counts[1], "rules",
			      rule_rows(agent->selection.rules));
	return *ret_data ? 0 : -ENOMEM;
}

static int add_list(struct selection_rules *rules, enum selection_list list, const json_t *texts,
		    char *ret_why, size_t why_bytes)
{
	int error = 0;

	if (texts && !json_is_array(texts)) {
		snprintf(ret_why, why_bytes, "%s wants an array of rules", list_names[list]);
		return -EINVAL;
	}
	for (size_t i = 0; !error && i < json_array_size(texts); i++) {
		const char *text = json_string_value(json_array_get(texts, i));

		error = selection_rules_add(rules, list, text ? text : "", ret_why, why_bytes);
	}
	return error;
}

int selection_set(void *context, const json_t *value, char *ret_why, size_t why_bytes)
{
	struct agent *agent = context;
	_cleanup_(selection_rules_free) struct selection_rules *rules = selection_rules_new();
	struct selection_rules *old = agent->selection.rules;
	int error = rules ? 0 : -ENOMEM;

	for (size_t list = 0; !error && list < SELECTION_LIST_COUNT; list++)
		error = add_list(rules, list, json_object_get(value, list_names[list]), ret_why,
				 why_bytes);
	if (error)
		return error;
	agent->selection.rules = TAKE_PTR(rules);
	selection_rules_free(&old);
	review_all(agent, true);
	return 0;
}
