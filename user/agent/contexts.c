/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that speak are asked what they publish of their threads' spans, and the kernel side is told where that is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/state.h"
#include "base/clock.h"
#include "base/log.h"
#include "correlate/shown_text.h"
#include "load/loader.h"
#include "published/process_context.h"
#include "published/process_memory.h"
#include "published/publishers.h"
#include "published/thread_place.h"

#define PUBLISHERS_MAX 4096
#define REVIEW_NS NS_PER_SECOND
/* Of a process that is new all that it does until it is looked at is joined by less: not for long. */
#define REVIEW_NEW_NS (50ull * NS_PER_MS)

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

/* What it calls itself outranks what we would call it. It is told as an event, so that a recording holds it. */
static void name_process(struct agent *agent, uint32_t tgid, const char *service)
{
	_Alignas(8) char buffer[PROCFS_EVENT_MAX + PUBLISHED_NAME_MAX];
	const struct process *process = process_lookup(agent->processes, tgid);
	char shown[SERVICE_NAME_MAX];
	int length;

	shown_text_copy(shown, sizeof(shown), service, strlen(service));
	if (!*shown || !process || strcmp(process->service, shown) == 0)
		return;
	length = procfs_read_process(tgid, buffer, PROCFS_EVENT_MAX);
	if (length > 0)
		intake_made(agent, buffer, procfs_rename(buffer, shown));
}

static int find(void *context, uint32_t tgid, struct thread_place *ret_place)
{
	struct agent *agent = context;
	struct process_context published;
	struct mapped_files files;
	int result = mapped_files_read(tgid, &files);

	if (result)
		return result;
	if (!process_context_find(tgid, &files, &published)) {
		name_process(agent, tgid, published.service);
		process_mark_instrumented(agent->processes, tgid);
	}
	result = thread_place_find(tgid, &files, ret_place);
	mapped_files_done(&files);
	return result;
}

int contexts_start(struct agent *agent)
{
	struct publishers_feedback feedback = { agent, find, set_place, log_unplaced };

	agent->publishers = publishers_new(PUBLISHERS_MAX, &feedback);
	return agent->publishers ? 0 : -ENOMEM;
}

struct speaker {
	uint64_t identity;
	uint32_t tgid;
};

/* A list of its own: to look at a process may feed the table. */
struct speakers {
	struct speaker *list; /* owned */
	size_t count;
	size_t limit;
};

static int add_speaker(void *context, struct process *process)
{
	struct speakers *speakers = context;

	if (!process->is_speaking || process->is_ignored || process->exited_ns)
		return 0;
	speakers->list[speakers->count++] =
		(struct speaker){ process->identity ^ process->start_ns, process->tgid };
	return speakers->count == speakers->limit;
}

static bool is_due(const struct agent *agent, uint64_t now_ns)
{
	uint64_t waited_ns = now_ns - agent->contexts_reviewed_ns;

	return waited_ns >= REVIEW_NS ||
	       (waited_ns >= REVIEW_NEW_NS &&
		process_table_spoke(agent->processes) != agent->contexts_spoke);
}

void contexts_review(struct agent *agent, uint64_t now_ns)
{
	struct speakers speakers = { .count = 0 };

	if (!agent->publishers || !is_due(agent, now_ns))
		return;
	agent->contexts_reviewed_ns = now_ns;
	agent->contexts_spoke = process_table_spoke(agent->processes);
	speakers.limit = process_table_count(agent->processes);
	speakers.list = calloc(speakers.limit + 1, sizeof(*speakers.list));
	if (!speakers.list)
		return; /* the next time */
	process_table_each(agent->processes, add_speaker, &speakers);
	publishers_begin(agent->publishers);
	for (size_t i = 0; i < speakers.count; i++)
		publishers_offer(agent->publishers, speakers.list[i].tgid,
				 speakers.list[i].identity, now_ns);
	publishers_end(agent->publishers);
	free(speakers.list);
}
