/* SPDX-License-Identifier: Apache-2.0 */
/* An event in words, one line each, so that a test can say what it expects as text. Numbers that no test can know
 * (times, addresses of sockets) are checked against each other; what is wrong with them becomes part of the line. */
#ifndef SONDE_TESTS_BPF_WORDING_H
#define SONDE_TESTS_BPF_WORDING_H

#include <stdbool.h>

#include "decode/call_name.h"
#include "decode/event.h"
#include "stage.h"

#define PAYLOAD_SHOWN 40

struct scope {
	const struct stage *stage;
	uint64_t end_ns;
};

static inline void word_flags(FILE *out, unsigned flags, const char *const *names)
{
	for (unsigned bit = 0; names[bit]; bit++)
		if (flags & 1u << bit)
			fprintf(out, " %s", names[bit]);
}

static inline void word_bytes(FILE *out, const uint8_t *bytes, size_t length)
{
	fputc('"', out);
	for (size_t i = 0; i < length; i++)
		if (bytes[i] == '\r')
			fputs("\\r", out);
		else if (bytes[i] == '\n')
			fputs("\\n", out);
		else if (bytes[i] < ' ' || bytes[i] > '~')
			fprintf(out, "\\%03o", bytes[i]);
		else
			fputc(bytes[i], out);
	fputc('"', out);
}

/* Much payload is only ever letters. */
static inline void word_payload(FILE *out, const struct event *event)
{
	uint64_t offset = event->turn->offset;
	size_t i = 0;

	if (event->payload_bytes <= PAYLOAD_SHOWN) {
		word_bytes(out, event->payload, event->payload_bytes);
		return;
	}
	while (i < event->payload_bytes && event->payload[i] == (uint8_t)letter(offset + i))
		i++;
	if (i == event->payload_bytes)
		fprintf(out, "%zu letters", i);
	else
		word_bytes(out, event->payload, event->payload_bytes);
}

static inline void word_tail(FILE *out, uint64_t tail)
{
	uint8_t bytes[8];
	size_t from = 0;

	if (!tail) {
		fputs(" tail unseen", out);
		return;
	}
	memcpy(bytes, &tail, sizeof(bytes));
	while (!bytes[from])
		from++;
	fputs(" tail ", out);
	word_bytes(out, bytes + from, sizeof(bytes) - from);
}

static inline void word_summary(FILE *out, const struct turn_summary *turn)
{
	fprintf(out, "%s %llu/%u", turn->dir == DIR_READ ? "read" : "write", turn->bytes,
		turn->calls);
	word_tail(out, turn->tail);
}

static inline void check_time(FILE *out, const struct scope *scope, const char *what, uint64_t ns,
			      uint64_t end_ns)
{
	if (ns < scope->stage->begin_ns || ns > end_ns)
		fprintf(out, " [%s %llu is not in %llu..%llu]", what, (unsigned long long)ns,
			(unsigned long long)scope->stage->begin_ns, (unsigned long long)end_ns);
}

static inline void check_summary(FILE *out, const struct scope *scope,
				 const struct turn_summary *turn, uint64_t end_ns)
{
	if (!turn->calls)
		return;
	check_time(out, scope, "turn.last_ns", turn->last_ns, end_ns);
	check_time(out, scope, "turn.start_ns", turn->start_ns, turn->last_ns);
}

static inline bool is_loopback(const uint8_t *address, uint16_t family)
{
	static const uint8_t ipv4[16] = { 127, 0, 0, 1 }, ipv6[16] = { [15] = 1 };

	return memcmp(address, family == AF_INET ? ipv4 : ipv6, 16) == 0;
}

/* All that its tuple says is that it is one. */
static inline void check_unix_conn(FILE *out, const struct conn_ref *conn)
{
	static const struct conn_tuple only = { .family = AF_UNIX };

	if (memcmp(&conn->tuple, &only, sizeof(only)) != 0)
		fputs(" [tuple]", out);
	if (!conn->sock || !conn->conn_id)
		fputs(" [no sock]", out);
}

static inline void check_conn(FILE *out, const struct scope *scope, const struct conn_ref *conn)
{
	const struct conn_tuple *tuple = &conn->tuple;
	uint16_t known = conn->role == ROLE_SERVER ? tuple->local_port : tuple->remote_port;

	if (tuple->family == AF_UNIX) {
		check_unix_conn(out, conn);
		return;
	}
	if (tuple->family != scope->stage->family)
		fprintf(out, " [family %u]", tuple->family);
	if (!conn->sock)
		fputs(" [no sock]", out);
	if (!conn->conn_id) /* it failed before the socket had addresses */
		return;
	if (!is_loopback(tuple->local_addr, tuple->family))
		fputs(" [local address]", out);
	if (!is_loopback(tuple->remote_addr, tuple->family))
		fputs(" [remote address]", out);
	if (known != scope->stage->port &&
	    (!(conn->flags & CONN_PREEXISTING) || tuple->local_port != scope->stage->port))
		fprintf(out, " [ports %u %u]", tuple->local_port, tuple->remote_port);
}

static inline void word_conn_flags(FILE *out, const struct conn_ref *conn)
{
	static const char *const names[] = { "preexisting", NULL };
	static const char *const endings[] = { "reset-sent", "reset-received", "peer-ended", NULL };

	word_flags(out, conn->flags & CONN_PREEXISTING, names);
	word_flags(out, conn->flags >> 2, endings);
}

static inline void word_actor(FILE *out, const struct scope *scope, uint32_t tgid, uint32_t tid)
{
	const struct actor *actor = stage_actor(scope->stage, tid);

	if (!tgid)
		fputs(" by nobody", out);
	else if (!actor || actor->tgid != tgid)
		fprintf(out, " by %s", "a stranger");
	else if (actor->name[0])
		fprintf(out, " by %s", actor->name);
}

static inline void word_turn(FILE *out, const struct scope *scope, const struct event *event)
{
	static const char *const names[] = { "continued", "no-bytes", "late", "awaits-write",
					     NULL };
	const struct event_turn *turn = event->turn;

	fprintf(out, "turn %u ", turn->conn.turn_no);
	word_summary(out, &turn->turn);
	fprintf(out, " call %llu at %u ", turn->call_bytes, turn->offset);
	word_payload(out, event);
	word_flags(out, turn->turn_flags, names);
	if (turn->prev.calls) {
		fputs(" after ", out);
		word_summary(out, &turn->prev);
		check_summary(out, scope, &turn->prev, event->header->ktime_ns);
		if (turn->prev.last_ns > turn->turn.start_ns)
			fputs(" [prev.last_ns]", out);
	}
	if (turn->turn.last_ns != event->header->ktime_ns)
		fputs(" [last_ns is not the event's time]", out);
	check_summary(out, scope, &turn->turn, event->header->ktime_ns);
}

static inline void word_connect(FILE *out, const struct scope *scope, const struct event *event)
{
	static const char *const outcomes[] = { "established", "refused", "timeout",
						"unreachable", "reset",	  "other" };
	const struct event_tcp_connect *connect = event->tcp_connect;

	fprintf(out, "connect %s", outcomes[connect->outcome]);
	if (connect->error)
		fprintf(out, " %s", errno_name((uint16_t)connect->error));
	if (connect->start_ns)
		check_time(out, scope, "start_ns", connect->start_ns, event->header->ktime_ns);
	else
		fputs(" unsent", out);
}

static inline void word_close(FILE *out, const struct scope *scope, const struct event *event)
{
	const struct event_tcp_close *close = event->tcp_close;

	fprintf(out, "close sent %llu received %llu", close->stats.bytes_sent,
		close->stats.bytes_received);
	if (close->turn.calls) {
		fprintf(out, " turn %u ", close->conn.turn_no);
		word_summary(out, &close->turn);
		check_summary(out, scope, &close->turn, event->header->ktime_ns);
	}
	if (close->opened_ns)
		check_time(out, scope, "opened_ns", close->opened_ns, event->header->ktime_ns);
	else
		fputs(" opened before", out);
}

static inline void word_unix_open(FILE *out, const struct scope *scope, const struct event *event)
{
	size_t length = strlen(scope->stage->path);

	fputs("open", out);
	if (!event->payload_bytes)
		fputs(" nameless", out);
	else if (event->payload_bytes != length + 1 || event->payload[0] ||
		 memcmp(event->payload + 1, scope->stage->path, length) != 0)
		fputs(" [path]", out);
}

static inline void word_unix_close(FILE *out, const struct scope *scope, const struct event *event)
{
	const struct event_unix_close *close = event->unix_close;

	fputs("close", out);
	if (close->turn.calls) {
		fprintf(out, " turn %u ", close->conn.turn_no);
		word_summary(out, &close->turn);
		check_summary(out, scope, &close->turn, event->header->ktime_ns);
	}
	if (close->opened_ns)
		check_time(out, scope, "opened_ns", close->opened_ns, event->header->ktime_ns);
}

static inline void word_error(FILE *out, const struct scope *scope, const struct event *event)
{
	const struct event_syscall_error *error = event->syscall_error;

	fprintf(out, "error %s %s", syscall_name(error->nr), errno_name(error->error));
	if (error->arg0 && error->arg0 == scope->stage->file_fd)
		fputs(" of the file", out);
	word_actor(out, scope, event->header->tgid, error->tid);
}

/* The connection that an event speaks of, NULL for none. */
static inline const struct conn_ref *event_conn(const struct event *event)
{
	switch (event->header->kind) {
	case EVENT_TCP_CONNECT:
		return &event->tcp_connect->conn;
	case EVENT_TCP_ACCEPT:
		return &event->tcp_accept->conn;
	case EVENT_TCP_CLOSE:
		return &event->tcp_close->conn;
	case EVENT_TCP_SAMPLE:
		return &event->tcp_sample->conn;
	case EVENT_TURN:
		return &event->turn->conn;
	case EVENT_TURN_PROGRESS:
		return &event->turn_progress->conn;
	case EVENT_UNIX_OPEN:
		return &event->unix_open->conn;
	case EVENT_UNIX_CLOSE:
		return &event->unix_close->conn;
	}
	return NULL;
}

static inline void word_conn_event(FILE *out, const struct scope *scope, const struct event *event)
{
	switch (event->header->kind) {
	case EVENT_TCP_CONNECT:
		word_connect(out, scope, event);
		break;
	case EVENT_TCP_ACCEPT:
		fputs("accept", out);
		check_time(out, scope, "established_ns", event->tcp_accept->established_ns,
			   event->header->ktime_ns);
		break;
	case EVENT_TCP_CLOSE:
		word_close(out, scope, event);
		break;
	case EVENT_TCP_SAMPLE:
		fprintf(out, "sample sent %llu received %llu", event->tcp_sample->stats.bytes_sent,
			event->tcp_sample->stats.bytes_received);
		break;
	case EVENT_TURN:
		word_turn(out, scope, event);
		break;
	case EVENT_TURN_PROGRESS:
		fprintf(out, "progress turn %u ", event->turn_progress->conn.turn_no);
		word_summary(out, &event->turn_progress->turn);
		break;
	case EVENT_UNIX_OPEN:
		word_unix_open(out, scope, event);
		break;
	case EVENT_UNIX_CLOSE:
		word_unix_close(out, scope, event);
		break;
	}
}

static inline void word_event(FILE *out, const struct scope *scope, const struct event *event)
{
	const struct conn_ref *conn = event_conn(event);

	if (event->header->kind == EVENT_SYSCALL_ERROR) {
		word_error(out, scope, event);
	} else if (conn) {
		word_conn_event(out, scope, event);
		word_conn_flags(out, conn);
		check_conn(out, scope, conn);
		word_actor(out, scope, event->header->tgid,
			   event->header->kind == EVENT_TURN ? event->turn->tid :
							       event->header->tgid);
	}
	check_time(out, scope, "ktime_ns", event->header->ktime_ns, scope->end_ns);
	fputc('\n', out);
}

#endif
