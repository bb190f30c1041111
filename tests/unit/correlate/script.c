/* SPDX-License-Identifier: Apache-2.0 */
/* See script.h. */
#include "script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

#define CALL_NS 1000000u

static void log_text(struct script *script, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void log_text(struct script *script, const char *format, ...)
{
	size_t room = sizeof(script->log) - script->log_bytes;
	va_list list;
	int bytes;

	va_start(list, format);
	bytes = vsnprintf(script->log + script->log_bytes, room, format, list);
	va_end(list);
	if (bytes > 0)
		script->log_bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static void on_request(void *context, const struct request *request)
{
	struct script *script = context;
	const char *const *facts = request->attributes;

	log_text(script, "%s %s %s %s %s", request->role == ROLE_SERVER ? "server" : "client",
		 or_dash(facts[ATTRIBUTE_HTTP_REQUEST_METHOD]), or_dash(facts[ATTRIBUTE_URL_PATH]),
		 or_dash(facts[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE]),
		 or_dash(facts[ATTRIBUTE_NETWORK_PROTOCOL_VERSION]));
	if (facts[ATTRIBUTE_RPC_METHOD])
		log_text(script, " %s %s", facts[ATTRIBUTE_RPC_METHOD],
			 or_dash(facts[ATTRIBUTE_RPC_RESPONSE_STATUS_CODE]));
	if (facts[ATTRIBUTE_DB_OPERATION_NAME])
		log_text(script, " %s", facts[ATTRIBUTE_DB_OPERATION_NAME]);
	if (facts[ATTRIBUTE_DB_COLLECTION_NAME])
		log_text(script, " %s", facts[ATTRIBUTE_DB_COLLECTION_NAME]);
	if (facts[ATTRIBUTE_DNS_QUESTION_NAME])
		log_text(script, " %s", facts[ATTRIBUTE_DNS_QUESTION_NAME]);
	if (facts[ATTRIBUTE_MESSAGING_OPERATION_NAME])
		log_text(script, " %s", facts[ATTRIBUTE_MESSAGING_OPERATION_NAME]);
	if (facts[ATTRIBUTE_MESSAGING_DESTINATION_NAME])
		log_text(script, " %s", facts[ATTRIBUTE_MESSAGING_DESTINATION_NAME]);
	if (facts[ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME])
		log_text(script, " @%s", facts[ATTRIBUTE_MESSAGING_CONSUMER_GROUP_NAME]);
	if (facts[ATTRIBUTE_ERROR_TYPE])
		log_text(script, " error=%s", facts[ATTRIBUTE_ERROR_TYPE]);
	if (request->is_partial)
		log_text(script, " partial");
	if (script->with_bodies)
		log_text(script, " body=%llu/%llu", (unsigned long long)request->request_body_bytes,
			 (unsigned long long)request->response_body_bytes);
	if (script->with_times)
		log_text(script, " %llu-%llu", (unsigned long long)request->start_ns / CALL_NS,
			 (unsigned long long)request->end_ns / CALL_NS);
	log_text(script, " [");
}

/* The outcomes of a request follow it. */
static void on_outcome(void *context, const char *protocol_name, enum parse_outcome outcome)
{
	static const char *const names[] = {
#define X(NAME, label, meaning) label,
		PARSE_OUTCOMES(X)
#undef X
	};

	(void)protocol_name;
	log_text(context, "%s;", names[outcome]);
}

static void on_connect(void *context, const struct event_tcp_connect *event,
		       const struct process *process)
{
	log_text(context, "connect %u %s;", event->outcome, process->service);
}

static void on_accept(void *context, const struct event_tcp_accept *event,
		      const struct process *process)
{
	log_text(context, "accept %u %s;", event->conn.role, process->service);
}

static void on_stats(void *context, const struct conn_ref *conn, const struct tcp_stats *stats,
		     const struct process *process)
{
	if (stats->retransmits)
		log_text(context, "stats role %u %s;", conn->role, process->service);
}

static void on_error(void *context, const struct event_syscall_error *event,
		     const struct process *process)
{
	log_text(context, "error %u %s;", event->error, process->service);
}

static void on_message(void *context, const struct free_message *message)
{
	log_text(context, "%s %s %s %llu;", message->protocol->name,
		 message->dir == DIR_WRITE ? "sent" : "received", message->type,
		 (unsigned long long)message->bytes);
}

static void on_tunnel(void *context, const struct tunnel *tunnel)
{
	log_text(context, "tunnel %s %s %llu/%llu%s%s;", tunnel->name,
		 tunnel->is_over ? "over" : "goes on", (unsigned long long)tunnel->bytes[DIR_READ],
		 (unsigned long long)tunnel->bytes[DIR_WRITE], tunnel->close_code ? " " : "",
		 tunnel->close_code ? tunnel->close_code : "");
}

static void on_set_mode(void *context, uint64_t sock, uint64_t conn_id, enum conn_mode mode)
{
	struct script *script = context;

	if (sock == script->conn.sock && conn_id == script->conn.conn_id && !script->is_deaf)
		script->mode = mode;
}

static void feed_progress(struct script *script)
{
	struct event_turn_progress event = {
		.header = { .ktime_ns = script->now_ns,
			    .kind = EVENT_TURN_PROGRESS,
			    .size = sizeof(event) },
		.conn = script->conn,
		.turn = script->turn,
	};

	script_feed(script, &event, sizeof(event));
}

static void on_ask(void *context, uint64_t sock, uint64_t conn_id)
{
	struct script *script = context;

	script->questions++;
	if (script->is_open && sock == script->conn.sock && conn_id == script->conn.conn_id)
		feed_progress(script);
}

static int make_process(struct script *script)
{
	struct {
		struct event_process_exec exec;
		char payload[16];
	} record = { .exec = {
			     .header = { .tgid = SCRIPT_TGID, .kind = EVENT_PROCESS_EXEC },
			     .path_bytes = 9,
		     } };
	struct event event;
	int err;

	memcpy(record.payload, "/bin/shop", 9);
	record.exec.header.size = (uint16_t)(sizeof(record.exec) + 9);
	err = event_decode(&record, record.exec.header.size, &event);
	return err < 0 ? err : process_table_feed(script->processes, &event);
}

int script_open(struct script *script, const struct engine_limits *limits)
{
	static const struct engine_limits defaults = { .connections = 64,
						       .routes_per_service = 50,
						       .services = 4 };
	static struct observation_sink sink = {
		.request = on_request,
		.message = on_message,
		.tunnel = on_tunnel,
		.parse_outcome = on_outcome,
		.tcp_connect = on_connect,
		.tcp_accept = on_accept,
		.tcp_stats = on_stats,
		.syscall_error = on_error,
	};
	struct engine_feedback feedback = { .context = script,
					    .set_mode = on_set_mode,
					    .ask_progress = on_ask };

	*script = (struct script){ .now_ns = 1000 * CALL_NS, .prefix_bytes = 1024 };
	sink.context = script;
	script->processes = process_table_new(16, NULL, NULL);
	if (!script->processes)
		return -ENOMEM;
	if (make_process(script) < 0) {
		process_table_free(&script->processes);
		return -ENOMEM;
	}
	script->engine =
		engine_new(limits ? limits : &defaults, script->processes, &sink, &feedback);
	if (!script->engine) {
		process_table_free(&script->processes);
		return -ENOMEM;
	}
	return 0;
}

void script_close(struct script *script)
{
	engine_free(&script->engine);
	process_table_free(&script->processes);
}

void script_connect(struct script *script, enum conn_role role, uint8_t flags)
{
	uint64_t conn_id = script->conn.conn_id + 1;

	script->conn = (struct conn_ref){
		.conn_id = conn_id, .sock = conn_id << 8, .role = (uint8_t)role, .flags = flags
	};
	script->turn = (struct turn_summary){ 0 };
	script->captured = 0;
	memset(script->moved, 0, sizeof(script->moved));
	script->mode = MODE_SNIFF;
	script->is_open = true;
}

/* Records lie aligned and with nothing behind them, so that the sanitizer sees a read too far. */
void script_feed(struct script *script, const void *bytes, size_t length)
{
	void *copy = malloc(length);
	struct event event;

	if (!copy)
		return; /* a failing allocation under test */
	memcpy(copy, bytes, length);
	if (event_decode(copy, length, &event) == 0)
		(void)engine_feed(script->engine, &event);
	free(copy);
}

static uint64_t tail_of(uint64_t tail, const char *bytes, size_t length)
{
	for (size_t i = length > 8 ? length - 8 : 0; i < length; i++)
		tail = tail >> 8 | (uint64_t)(uint8_t)bytes[i] << 56;
	return tail;
}

/* As turn_header_ends does: the header of an interim answer is not the end. */
static bool header_ends(const char *bytes, uint32_t captured)
{
	bool is_interim = captured > 9 && memcmp(bytes, "HTTP", 4) == 0 && bytes[9] == '1';

	return captured >= 4 && memcmp(bytes + captured - 4, "\r\n\r\n", 4) == 0 && !is_interim;
}

static void feed_turn(struct script *script, const struct turn_summary *prev, unsigned flags,
		      uint32_t offset, const char *bytes, size_t length, uint32_t captured)
{
	struct {
		struct event_turn turn;
		char payload[PREFIX_MAX];
	} record = { .turn = {
			     .header = { .ktime_ns = script->now_ns,
					 .tgid = SCRIPT_TGID,
					 .kind = EVENT_TURN },
			     .conn = script->conn,
			     .turn = script->turn,
			     .prev = *prev,
			     .call_bytes = length,
			     .offset = offset,
			     .captured = (uint16_t)captured,
			     .turn_flags = (uint16_t)(flags | (captured ? 0 : TURN_NO_BYTES)),
			     .position = (uint32_t)(script->moved[script->turn.dir] - length),
		     } };

	if (captured)
		memcpy(record.payload, bytes, captured);
	record.turn.header.size = (uint16_t)(sizeof(record.turn) + captured);
	if (script->drop_event && --script->drop_event == 0) {
		script->drop_event = script->drop_more > 0;
		script->drop_more -= script->drop_more > 0;
		return;
	}
	script_feed(script, &record, record.turn.header.size);
}

void script_call(struct script *script, enum turn_dir dir, const char *bytes, size_t length)
{
	bool is_new = !script->conn.turn_no || script->turn.dir != dir;
	struct turn_summary prev = { 0 };
	uint32_t offset, room, captured = 0;

	script->now_ns += CALL_NS;
	if (!length)
		return;
	if (is_new) {
		prev = script->turn;
		script->conn.turn_no++;
		script->turn =
			(struct turn_summary){ .start_ns = script->now_ns, .dir = (uint8_t)dir };
		script->captured = 0;
	}
	script->moved[dir] += length;
	offset = (uint32_t)script->turn.bytes;
	if (is_new && script->mode == MODE_SNIFF && length >= 4 && bytes &&
	    memcmp(bytes, "PRI ", 4) == 0) /* turn_first_mode */
		script->mode = MODE_HTTP2;
	if (script->mode >= MODE_STREAM)
		room = PREFIX_MAX;
	else
		room = script->mode != MODE_LENGTHS && script->captured < script->prefix_bytes ?
			       script->prefix_bytes - script->captured :
			       0;
	if (bytes)
		captured = length < room ? (uint32_t)length : room;
	script->turn.tail = bytes ? tail_of(script->turn.tail, bytes, length) : 0;
	script->turn.calls++;
	script->turn.last_ns = script->now_ns;
	script->turn.bytes += length;
	script->captured += captured;
	if (captured < length || header_ends(bytes, captured))
		script->captured = script->prefix_bytes;
	if (room && (captured || is_new))
		feed_turn(script, &prev, is_new ? 0 : TURN_CONTINUED, offset, bytes, length,
			  captured);
}

/* The read makes the write known: by a number kept for it, or as more of the write turn under way. */
void script_race(struct script *script, const char *written, const char *read)
{
	bool is_whole_turn = !script->conn.turn_no || script->turn.dir == DIR_READ;
	uint32_t late_turn_no = script->conn.turn_no + is_whole_turn,
		 read_turn_no = late_turn_no + 1;
	struct turn_summary prev = script->turn, now;

	script->now_ns += CALL_NS;
	now = (struct turn_summary){ .bytes = strlen(read),
				     .start_ns = script->now_ns,
				     .last_ns = script->now_ns,
				     .tail = tail_of(0, read, strlen(read)),
				     .calls = 1,
				     .dir = DIR_READ };
	script->turn = now;
	script->moved[DIR_READ] += strlen(read);
	script->conn.turn_no = read_turn_no;
	feed_turn(script, &prev, is_whole_turn ? TURN_AWAITS_WRITE : 0, 0, read, strlen(read),
		  (uint32_t)strlen(read));
	script->now_ns += CALL_NS;
	script->conn.turn_no = late_turn_no;
	script->turn = (struct turn_summary){ .bytes = strlen(written),
					      .start_ns = script->now_ns,
					      .last_ns = script->now_ns,
					      .calls = 1,
					      .dir = DIR_WRITE };
	script->moved[DIR_WRITE] += strlen(written);
	feed_turn(script, &(struct turn_summary){ 0 }, TURN_LATE, 0, written, strlen(written),
		  (uint32_t)strlen(written));
	script->conn.turn_no = read_turn_no;
	script->turn = now;
	script->captured = script->prefix_bytes;
}

void script_tick(struct script *script, uint64_t milliseconds)
{
	for (; milliseconds >= 100; milliseconds -= 100) {
		script->now_ns += 100000000;
		engine_tick(script->engine, script->now_ns);
	}
}

void script_half_close(struct script *script)
{
	script->now_ns += CALL_NS;
	feed_progress(script);
}

void script_hang_up(struct script *script, uint8_t flags)
{
	struct {
		struct event_tcp_close close;
		struct close_positions positions;
	} event = {
		.close = {
			.header = { .tgid = SCRIPT_TGID, .kind = EVENT_TCP_CLOSE, .size = sizeof(event) },
			.conn = script->conn,
			.turn = script->turn,
			.stats = { .bytes_received = script->moved[DIR_READ],
				   .bytes_sent = script->moved[DIR_WRITE] },
		},
		.positions = { { (uint32_t)script->moved[DIR_READ],
				 (uint32_t)script->moved[DIR_WRITE] } },
	};

	script->now_ns += CALL_NS;
	event.close.header.ktime_ns = script->now_ns;
	event.close.conn.flags |= flags;
	script->conn.flags |= (uint8_t)(flags | CONN_CLOSED);
	script_feed(script, &event, sizeof(event));
	script->is_open = false;
}

static void call_by_byte(struct script *script, enum turn_dir dir, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		script_call(script, dir, text + i, 1);
}

static void do_step(struct script *script, const struct step *step, size_t split_at)
{
	enum turn_dir dir = step->what == 'R' ? DIR_READ : DIR_WRITE;
	size_t length = step->text ? strlen(step->text) : 0;

	switch (step->what) {
	case 'R':
	case 'W':
		if (split_at == SCRIPT_BY_BYTE) {
			call_by_byte(script, dir, step->text, length);
			return;
		}
		if (split_at >= length)
			split_at = 0;
		if (split_at)
			script_call(script, dir, step->text, split_at);
		script_call(script, dir, step->text + split_at, length - split_at);
		break;
	case 's':
		script_call(script, DIR_WRITE, NULL, step->number);
		break;
	case 'u': /* a read that is not captured */
		script_call(script, DIR_READ, NULL, step->number);
		break;
	case 't':
		script_tick(script, step->number);
		break;
	case 'h':
		script_half_close(script);
		break;
	}
}

void script_run(struct script *script, const struct step *steps, size_t split_step, size_t split_at)
{
	for (size_t i = 0; steps[i].what; i++)
		do_step(script, &steps[i],
			i == split_step || split_at == SCRIPT_BY_BYTE ? split_at : 0);
}
