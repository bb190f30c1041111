/* SPDX-License-Identifier: Apache-2.0 */
/* One row a kind: the size of its struct and the check of its fields. What the fields mean is for others. */
#include "decode/event.h"

#include <errno.h>
#include <stdbool.h>

#include "config_abi.h"

static bool conn_is_sane(const struct conn_ref *conn)
{
	return conn->role < ROLE_COUNT;
}

static bool summary_is_sane(const struct turn_summary *turn)
{
	return turn->dir < DIR_COUNT;
}

static bool check_process_exec(const void *record, size_t payload_bytes)
{
	const struct event_process_exec *exec = record;
	size_t strings = (size_t)exec->path_bytes + exec->args_bytes + exec->service_name_bytes +
			 exec->resource_attributes_bytes + exec->cgroup_bytes;

	return exec->path_bytes <= PROCESS_PATH_MAX && exec->args_bytes <= PROCESS_ARGS_MAX &&
	       exec->service_name_bytes <= PROCESS_ENV_MAX &&
	       exec->resource_attributes_bytes <= PROCESS_ENV_MAX &&
	       exec->cgroup_bytes <= PROCESS_CGROUP_MAX && strings == payload_bytes;
}

static bool check_process_fork(const void *record, size_t payload_bytes)
{
	(void)record;
	return payload_bytes == 0;
}

static bool check_process_exit(const void *record, size_t payload_bytes)
{
	(void)record;
	return payload_bytes == 0;
}

static bool check_tcp_connect(const void *record, size_t payload_bytes)
{
	const struct event_tcp_connect *connect = record;

	return (payload_bytes == 0 || payload_bytes == sizeof(struct connect_caller)) &&
	       conn_is_sane(&connect->conn) && connect->outcome < CONNECT_OUTCOME_COUNT;
}

static bool check_tcp_accept(const void *record, size_t payload_bytes)
{
	const struct event_tcp_accept *accept = record;

	return payload_bytes == 0 && conn_is_sane(&accept->conn);
}

static bool is_close_payload(size_t payload_bytes)
{
	return payload_bytes == 0 || payload_bytes == sizeof(struct close_positions) ||
	       payload_bytes == sizeof(struct close_positions) + sizeof(struct call_use);
}

static bool check_tcp_close(const void *record, size_t payload_bytes)
{
	const struct event_tcp_close *close = record;

	return is_close_payload(payload_bytes) && conn_is_sane(&close->conn) &&
	       summary_is_sane(&close->turn);
}

static bool check_tcp_sample(const void *record, size_t payload_bytes)
{
	const struct event_tcp_sample *sample = record;

	return payload_bytes == 0 && conn_is_sane(&sample->conn);
}

static size_t use_bytes(const struct event_turn *turn)
{
	return turn->turn_flags & TURN_HAS_USE ? sizeof(struct turn_figures) : 0;
}

/* What stands behind the payload, and what fills up to it. */
static size_t before_bytes(const struct event_turn *turn)
{
	return turn->turn_flags & TURN_HAS_BEFORE ? -turn->captured % 8u + sizeof(struct call_use) :
						    0;
}

/* A turn has moved at least what this call did, and no more was captured than moved. */
static bool check_turn(const void *record, size_t payload_bytes)
{
	const struct event_turn *turn = record;

	return use_bytes(turn) + turn->captured + before_bytes(turn) == payload_bytes &&
	       turn->captured <= PREFIX_MAX && turn->captured <= turn->call_bytes &&
	       turn->call_bytes <= INT64_MAX && conn_is_sane(&turn->conn) &&
	       turn->conn.turn_no > 0 && summary_is_sane(&turn->turn) &&
	       summary_is_sane(&turn->prev);
}

static bool check_turn_progress(const void *record, size_t payload_bytes)
{
	const struct event_turn_progress *progress = record;

	return (payload_bytes == 0 || payload_bytes == sizeof(struct call_use)) &&
	       conn_is_sane(&progress->conn) && summary_is_sane(&progress->turn);
}

static bool check_syscall_error(const void *record, size_t payload_bytes)
{
	const struct event_syscall_error *error = record;

	return payload_bytes == 0 && error->error > 0;
}

static bool check_datagram(const void *record, size_t payload_bytes)
{
	const struct event_datagram *datagram = record;

	return datagram->captured == payload_bytes && datagram->captured <= DATAGRAM_CAPTURE_MAX &&
	       datagram->captured <= datagram->bytes && datagram->dir < DIR_COUNT;
}

static bool check_unix_open(const void *record, size_t payload_bytes)
{
	const struct event_unix_open *open = record;

	return open->path_bytes == payload_bytes && payload_bytes <= UNIX_PATH_MAX &&
	       conn_is_sane(&open->conn);
}

static bool check_unix_close(const void *record, size_t payload_bytes)
{
	const struct event_unix_close *close = record;

	return is_close_payload(payload_bytes) && conn_is_sane(&close->conn) &&
	       summary_is_sane(&close->turn);
}

static bool check_thread_context(const void *record, size_t payload_bytes)
{
	const struct event_thread_context *context = record;

	return payload_bytes == 0 && context->valid == 1;
}

static bool check_thread(const void *record, size_t payload_bytes)
{
	const struct event_thread *thread = record;

	return payload_bytes == 0 && thread->tid;
}

static bool check_goroutine(const void *record, size_t payload_bytes)
{
	const struct event_goroutine *goroutine = record;

	return payload_bytes == 0 && goroutine->goroutine;
}

struct kind {
	const char *name;
	size_t struct_bytes;
	bool (*check)(const void *record, size_t payload_bytes);
};

static const struct kind kinds[EVENT_KIND_COUNT] = {
#define X(number, KIND, label)                                     \
	[number] = { .name = #label,                               \
		     .struct_bytes = sizeof(struct event_##label), \
		     .check = check_##label },
	EVENT_KINDS(X)
#undef X
};

static const struct kind *kind_find(unsigned kind)
{
	return kind < EVENT_KIND_COUNT && kinds[kind].name ? &kinds[kind] : NULL;
}

static bool has_newest(unsigned kind)
{
	return kind == EVENT_TURN_PROGRESS || kind == EVENT_TCP_CLOSE || kind == EVENT_UNIX_CLOSE;
}

static void find_turn_parts(struct event *event)
{
	const size_t use = use_bytes(event->turn);
	const uint8_t *end = event->payload + event->payload_bytes;

	if (use)
		event->use = (const void *)event->payload;
	if (before_bytes(event->turn))
		event->before = (const void *)(end - sizeof(*event->before));
	event->payload += use;
	event->payload_bytes = event->turn->captured;
}

int event_decode(const void *bytes, size_t length, struct event *ret_event)
{
	const struct event_header *header = bytes;
	const struct kind *kind;
	size_t payload_bytes;

	if (length < sizeof(*header) || header->size > length)
		return -EBADMSG;
	kind = kind_find(header->kind);
	if (!kind)
		return -ENOTSUP;
	payload_bytes = (size_t)header->size - kind->struct_bytes;
	if (header->size < kind->struct_bytes || !kind->check(bytes, payload_bytes))
		return -EBADMSG;
	ret_event->header = header;
	ret_event->turn = bytes; /* any member: they are one pointer to the record */
	ret_event->use = NULL;
	ret_event->before = NULL;
	ret_event->newest = NULL;
	ret_event->payload = (const uint8_t *)bytes + kind->struct_bytes;
	ret_event->payload_bytes = payload_bytes;
	if (header->kind == EVENT_TURN) {
		find_turn_parts(ret_event);
	} else if (has_newest(header->kind) && payload_bytes >= sizeof(struct call_use)) {
		ret_event->payload_bytes -= sizeof(struct call_use);
		ret_event->newest = (const void *)(ret_event->payload + ret_event->payload_bytes);
	}
	return 0;
}

const char *event_kind_name(unsigned kind)
{
	return kind_find(kind) ? kinds[kind].name : "unknown";
}
