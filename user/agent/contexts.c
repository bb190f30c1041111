/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that speak are asked what they publish of their threads' spans, and the kernel side is told where that is. */
#include <errno.h>

#include "agent/state.h"
#include "base/clock.h"
#include "base/log.h"
#include "load/loader.h"
#include "published/publishers.h"
#include "published/thread_place.h"

#define PUBLISHERS_MAX 4096
#define REVIEW_NS NS_PER_SECOND

static int set_place(void *context, uint32_t tgid, const struct thread_place *place)
{
	struct agent *agent = context;
	uint64_t value = place ? (uint64_t)place->module << 32 | place->kind : 0;

	return loader_control(agent->loader, CONTROL_THREAD_PLACE, tgid,
			      place ? (uint64_t)place->offset : 0, value);
}

static void log_unplaced(void *context, uint32_t tgid)
{
	(void)context;
	log_info(
		"process %u publishes its threads' spans, but not where they are; joining its spans by other means",
		tgid);
}

int contexts_start(struct agent *agent)
{
	struct publishers_feedback feedback = { agent, thread_place_find, set_place, log_unplaced };

	agent->publishers = publishers_new(PUBLISHERS_MAX, &feedback);
	return agent->publishers ? 0 : -ENOMEM;
}

static int offer(void *context, struct process *process)
{
	struct agent *agent = context;

	if (process->is_speaking && !process->is_ignored && !process->exited_ns)
		publishers_offer(agent->publishers, process->tgid,
				 process->identity ^ process->start_ns,
				 agent->contexts_reviewed_ns);
	return 0;
}

void contexts_review(struct agent *agent, uint64_t now_ns)
{
	if (!agent->publishers || now_ns - agent->contexts_reviewed_ns < REVIEW_NS)
		return;
	agent->contexts_reviewed_ns = now_ns;
	publishers_begin(agent->publishers);
	process_table_each(agent->processes, offer, agent);
	publishers_end(agent->publishers);
}
