/* SPDX-License-Identifier: Apache-2.0 */
/* Records in: counted, decoded, handed to the engine and to those who record. */
#include <errno.h>
#include <string.h>

#include "agent/selection.h"
#include "agent/state.h"
#include "base/clock.h"
#include "load/kernel_table.h"

static void count_lost(struct agent *agent, const void *bytes, size_t length,
		       enum loss_reason reason)
{
	const struct event_header *header = bytes;
	unsigned kind =
		length >= sizeof(*header) && header->kind < EVENT_KIND_COUNT ? header->kind : 0;

	agent->intake.lost[kind][reason]++;
}

static int take_in_running(void *context, uint32_t tgid)
{
	_Alignas(8) char buffer[PROCFS_EVENT_MAX];
	int length = procfs_read_process(tgid, buffer, sizeof(buffer));

	if (length > 0)
		intake_made(context, buffer, (size_t)length);
	return 0;
}

/* The hook looks at so many bytes of arguments and variables only; /proc has them all. */
static bool is_cut(const struct event_process_exec *exec)
{
	return !(exec->exec_flags & PROCESS_FOUND) &&
	       (exec->args_bytes >= PROCESS_ARGS_MAX || exec->exec_flags & PROCESS_ENV_PART);
}

static __attribute__((noinline)) void take_undecoded(struct agent *agent, const void *bytes,
						     size_t length, int error)
{
	count_lost(agent, bytes, length, error == -ENOTSUP ? LOSS_UNKNOWN_KIND : LOSS_MALFORMED);
}

/* After the engine took it in. */
static __attribute__((noinline)) void take_exec(struct agent *agent, const struct event *event)
{
	selection_take_exec(agent, event->header);
	if (is_cut(event->process_exec))
		(void)take_in_running(agent,
				      event->header->tgid); /* gone already: a cut name must do */
}

void intake_record(void *context, const void *bytes, size_t length)
{
	struct agent *agent = context;
	struct event event;
	int error = event_decode(bytes, length, &event);

	if (error) {
		take_undecoded(agent, bytes, length, error);
		return;
	}
	error = engine_feed(agent->engine, &event);
	if (error)
		count_lost(agent, bytes, length, LOSS_NO_MEMORY);
	else
		agent->intake.consumed[event.header->kind]++;
	/* After the engine: whoever it had to catch up with is in the recording before this event. */
	recording_feed_append(&agent->feed, bytes, event.header->size);
	if (event.header->kind == EVENT_PROCESS_EXEC)
		take_exec(agent, &event);
}

void intake_made(struct agent *agent, const void *bytes, size_t length)
{
	const struct event_header *header = bytes;

	agent->intake.made[header->kind]++;
	intake_record(agent, bytes, length);
}

void intake_catch_up(void *context, uint32_t tgid)
{
	struct agent *agent = context;

	if (agent->consumer)
		(void)ring_consumer_drain_processes(agent->consumer); /* perhaps none */
	if (!process_is_known(agent->processes, tgid))
		(void)take_in_running(agent, tgid);
}

void intake_running_processes(struct agent *agent)
{
	(void)procfs_each_process(take_in_running,
				  agent); /* without /proc, events alone name processes */
}

void intake_set_mode(void *context, uint64_t sock, uint64_t conn_id, enum conn_mode mode)
{
	struct agent *agent = context;

	(void)loader_control(agent->loader, CONTROL_CONN_MODE, sock, conn_id,
			     mode); /* closed already: no matter */
}

/* Written as an event, so that a recording holds what was seen. */
void intake_ask_progress(void *context, uint64_t sock, uint64_t conn_id)
{
	struct agent *agent = context;
	struct {
		struct event_turn_progress progress;
		struct call_use newest;
	} record = { 0 };
	struct event_turn_progress *event = &record.progress;
	struct conn_state conn;

	if (kernel_table_find(loader_map(agent->loader, "conn_by_sock"), &sock, &conn) ||
	    conn.conn_id != conn_id)
		return;
	event->header = (struct event_header){ .ktime_ns = monotonic_ns(),
					       .tgid = conn.tgid,
					       .kind = EVENT_TURN_PROGRESS,
					       .size = sizeof(record) };
	event->conn = (struct conn_ref){ .conn_id = conn_id,
					 .sock = sock,
					 .tuple = conn.tuple,
					 .role = conn.role,
					 .flags = conn.flags,
					 .turn_no = conn.turn_no };
	event->turn = conn.turn;
	memset(event->turn._pad, 0, sizeof(event->turn._pad));
	if (conn.has_untold)
		record.newest = conn.untold;
	intake_made(agent, &record, sizeof(record));
}
