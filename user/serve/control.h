/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's control socket: questions in, one line each; JSON out, one line each; or a stream of bytes. What
 * can be asked is the owner's table. Single-threaded: the owner polls one descriptor and never waits.
 *
 * Requests   `dump TOPIC [LIMIT]`, `topics`, `stream NAME`, or the same as JSON:
 *            {"command":"dump","topic":"conns","limit":10}; and, as JSON only, something to change:
 *            {"command":"set","topic":"selection","value":{...}}
 * Answers    {"ok":true,"topic":"conns","total":N,"data":...} or {"ok":false,"error":"..."}
 * Streams    {"ok":true,"stream":"record"}, then bytes, until the client shuts down its writing side: what is
 *            queued still comes, then the connection ends */
#ifndef SONDE_SERVE_CONTROL_H
#define SONDE_SERVE_CONTROL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_REQUEST_MAX 8192
#define CONTROL_ANSWER_MAX ((size_t)16 << 20)  /* longer answers become an error that says so */
#define CONTROL_STREAM_QUEUE ((size_t)4 << 20) /* what a stream may lag behind */
#define CONTROL_STALL_NS 10000000000u /* a client that takes nothing for this long is dropped */
#define CONTROL_LIMIT_DEFAULT 1000

struct control_server;
struct control_stream;

/* One thing that can be dumped, and perhaps set. */
struct control_topic {
	const char *name;
	/* limit      at most so many entries, the most interesting ones
	 * ret_data   an array or object; the caller's
	 * ret_total  entries there are; left alone when that makes no sense
	 * Returns    0 or negative errno, which the client is told */
	int (*write)(void *context, size_t limit, json_t **ret_data, size_t *ret_total);
	/* value    what the client gave; borrowed
	 * ret_why  what is wrong with it, empty at first; the client is told
	 * Returns  0 or negative errno, with nothing changed. NULL: it cannot be set */
	int (*set)(void *context, const json_t *value, char *ret_why, size_t why_bytes);
};

/* One thing that can be streamed. */
struct control_stream_kind {
	const char *name;
	/* A client subscribed: bytes may be pushed from now on, also from here. Returns 0 or negative errno,
	 * which the client is told. */
	int (*started)(void *context, struct control_stream *stream);
	/* The client wants no more and has been sent what was queued: last chance to push. Not called when it
	 * just went away. */
	void (*finishing)(void *context, struct control_stream *stream);
	/* The stream is gone; called once for each that started. */
	void (*ended)(void *context, struct control_stream *stream);
};

struct control_table {
	void *context; /* given to every function below */
	const struct control_topic *topics;
	size_t topic_count;
	const struct control_stream_kind *streams;
	size_t stream_count;
};

/* Listen at path, mode 0600, in a directory made if it is missing (0755). A socket file that nobody answers on is
 * replaced.
 *
 * table    borrowed, lives as long as the server
 * Returns  0; -EADDRINUSE when another agent answers there; -ENAMETOOLONG; negative errno */
int control_server_open(const char *path, const struct control_table *table,
			struct control_server **ret_server);

/* Ends all streams, removes the socket file if it is still ours. */
void control_server_close(struct control_server **server);

/* An epoll descriptor: readable when control_server_run has work. */
int control_server_fd(const struct control_server *server);

/* Do what can be done without waiting. Also call it now and then, at least once a second, so that clients that
 * stall are noticed.
 * now_ns  CLOCK_MONOTONIC
 * Returns 0 or negative errno of epoll itself; what goes wrong with a client only ends that client */
int control_server_run(struct control_server *server, uint64_t now_ns);

/* Queue bytes for a stream, all or nothing.
 * Returns 0; -ENOBUFS when the client lags too far behind, try again later; -EPIPE when it is gone or wants no
 * more (ended follows from control_server_run) */
int control_stream_push(struct control_stream *stream, const void *bytes, size_t length);

/* The owner's own data of a stream. */
void control_stream_set_data(struct control_stream *stream, void *data);
void *control_stream_data(const struct control_stream *stream);

#endif
