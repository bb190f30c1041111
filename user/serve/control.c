/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the control socket: one request at a time each, answers and streams through a bounded queue. */
#include "serve/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "serve/byte_queue.h"
#include "serve/control_request.h"
#include "serve/unix_socket.h"

#define IDLE_NS 60000000000u /* a client that asks nothing must not keep its place from others */
#define CONTROL_WHY_MAX 512
#define ACCEPT_PAUSE_NS 1000000000u /* after accept failed for want of descriptors or memory */

struct control_stream {
	const struct control_stream_kind *kind; /* NULL: the client is no stream */
	void *data;				/* the owner's */
};

struct client {
	struct control_server *server; /* borrowed */
	struct control_stream stream;
	struct byte_queue out;
	char request[CONTROL_REQUEST_MAX];
	size_t request_bytes;
	uint64_t progress_ns; /* it took bytes, or asked */
	uint32_t waits_for;   /* EPOLLIN, EPOLLOUT */
	int fd;
	bool is_ended;	/* it has shut down its writing side */
	bool is_last;	/* nothing follows what is queued */
	bool is_broken; /* to be dropped */
};

struct control_server {
	const struct control_table *table; /* borrowed */
	struct client *clients[CONTROL_CLIENTS_MAX];
	struct stat file;
	uint64_t now_ns;
	uint64_t paused_ns; /* accept again after this; 0: not paused */
	int listen_fd;
	int epoll_fd;
	char *path;
};

static int epoll_set(const struct control_server *server, int operation, int fd, uint32_t events,
		     void *data)
{
	struct epoll_event event = { .events = events, .data.ptr = data };

	return epoll_ctl(server->epoll_fd, operation, fd, &event) < 0 ? -errno : 0;
}

static void client_wait_for(struct client *client, uint32_t events)
{
	if (client->waits_for == events)
		return;
	if (epoll_set(client->server, EPOLL_CTL_MOD, client->fd, events, client) < 0)
		client->is_broken = true;
	client->waits_for = events;
}

/* Requests are read while no answer is pending; of a stream only the end is awaited. */
static void client_rearm(struct client *client)
{
	bool may_read = !client->is_ended && (client->stream.kind || !client->out.count);

	client_wait_for(client, (may_read ? (uint32_t)EPOLLIN : 0) |
					(client->out.count ? (uint32_t)EPOLLOUT : 0));
}

static void client_free(struct client **client)
{
	if (!*client)
		return;
	if ((*client)->stream.kind)
		(*client)->stream.kind->ended((*client)->server->table->context,
					      &(*client)->stream);
	byte_queue_done(&(*client)->out);
	close((*client)->fd);
	free(*client);
	*client = NULL;
}

/* All that was queued is sent: what is pushed last must find room. */
static void client_finish_stream(struct client *client)
{
	client->is_last = true;
	if (client->stream.kind->finishing)
		client->stream.kind->finishing(client->server->table->context, &client->stream);
}

static void client_send(struct client *client)
{
	int sent = byte_queue_send(&client->out, client->fd);

	if (sent < 0)
		client->is_broken = true;
	if (sent > 0)
		client->progress_ns = client->server->now_ns;
	if (!client->out.count && !client->stream.kind)
		byte_queue_done(&client->out);
	if (!client->out.count && client->stream.kind && client->is_ended && !client->is_last)
		client_finish_stream(client);
	if (!client->out.count && client->is_last)
		client->is_broken = true;
}

/* Queue one line; the queue is made for it. Returns 0 or negative errno. */
static int client_answer(struct client *client, const json_t *answer, size_t queue_bytes)
{
	_cleanup_free_ char *text = json_dumps(answer, JSON_COMPACT);
	size_t length = text ? strlen(text) : 0;
	int error;

	if (!text)
		return -ENOMEM;
	if (length >= CONTROL_ANSWER_MAX)
		return -EMSGSIZE;
	error = byte_queue_init(&client->out, queue_bytes > length ? queue_bytes : length + 1);
	if (error)
		return error;
	text[length] = '\n';				       /* in place of the terminator */
	(void)byte_queue_push(&client->out, text, length + 1); /* it fits: see above */
	return 0;
}

static void client_refuse(struct client *client, const char *reason)
{
	json_t *answer = json_pack("{s:b,s:s}", "ok", 0, "error", reason);

	if (!answer || client_answer(client, answer, 0) < 0)
		client->is_broken = true;
	json_decref(answer);
}

static const char *error_text(int error)
{
	return error == -EMSGSIZE ? "the answer is too long: ask for fewer entries" :
				    strerror(-error);
}

static const struct control_topic *find_topic(const struct control_table *table, const char *name)
{
	for (size_t i = 0; i < table->topic_count; i++)
		if (!strcmp(table->topics[i].name, name))
			return &table->topics[i];
	return NULL;
}

static void run_set(struct client *client, const struct control_request *request)
{
	const struct control_table *table = client->server->table;
	const struct control_topic *topic = find_topic(table, request->name);
	char why[CONTROL_WHY_MAX] = "";
	json_t *answer;
	int error;

	if (!topic || !topic->set) {
		client_refuse(client, topic ? "that cannot be set" : "no such topic");
		return;
	}
	error = topic->set(table->context, request->value, why, sizeof(why));
	if (error) {
		client_refuse(client, why[0] ? why : error_text(error));
		return;
	}
	answer = json_pack("{s:b,s:s}", "ok", 1, "topic", topic->name);
	if (!answer || client_answer(client, answer, 0) < 0)
		client->is_broken = true;
	json_decref(answer);
}

static void run_dump(struct client *client, const struct control_request *request)
{
	const struct control_table *table = client->server->table;
	const struct control_topic *topic = find_topic(table, request->name);
	size_t total = SIZE_MAX;
	json_t *data = NULL, *answer;
	int error;

	if (!topic) {
		client_refuse(client, "no such topic");
		return;
	}
	error = topic->write(table->context,
			     request->limit ? request->limit : CONTROL_LIMIT_DEFAULT, &data,
			     &total);
	if (error) {
		client_refuse(client, error_text(error));
		return;
	}
	answer = json_pack("{s:b,s:s,s:o}", "ok", 1, "topic", topic->name, "data", data);
	if (answer && total != SIZE_MAX)
		(void)json_object_set_new(answer, "total", json_integer((json_int_t)total));
	error = answer ? client_answer(client, answer, 0) : -ENOMEM;
	json_decref(answer);
	if (error)
		client_refuse(client, error_text(error));
}

static void run_topics(struct client *client)
{
	const struct control_table *table = client->server->table;
	json_t *topics = json_array(), *streams = json_array(), *answer;

	for (size_t i = 0; i < table->topic_count; i++)
		(void)json_array_append_new(topics, json_string(table->topics[i].name));
	for (size_t i = 0; i < table->stream_count; i++)
		(void)json_array_append_new(streams, json_string(table->streams[i].name));
	answer = json_pack("{s:b,s:o,s:o}", "ok", 1, "topics", topics, "streams", streams);
	if (!answer || client_answer(client, answer, 0) < 0)
		client->is_broken = true;
	json_decref(answer);
}

static void run_stream(struct client *client, const struct control_request *request)
{
	const struct control_table *table = client->server->table;
	const struct control_stream_kind *kind = NULL;
	json_t *answer;
	int error;

	for (size_t i = 0; i < table->stream_count && !kind; i++)
		if (!strcmp(table->streams[i].name, request->name))
			kind = &table->streams[i];
	if (!kind) {
		client_refuse(client, "no such stream");
		return;
	}
	answer = json_pack("{s:b,s:s}", "ok", 1, "stream", kind->name);
	error = answer ? client_answer(client, answer, CONTROL_STREAM_QUEUE) : -ENOMEM;
	json_decref(answer);
	client->stream.kind = kind;
	if (!error)
		error = kind->started(table->context, &client->stream);
	if (error) {
		client->stream.kind = NULL;
		byte_queue_done(&client->out);
		client_refuse(client, error_text(error));
	}
}

static void client_run_request(struct client *client, const char *line, size_t length)
{
	struct control_request request = { 0 };
	int error = control_request_parse(line, length, &request);

	client->progress_ns = client->server->now_ns;
	if (error)
		client_refuse(client, error == -ENOTSUP ? "unknown command" : "malformed request");
	else if (request.verb == CONTROL_DUMP)
		run_dump(client, &request);
	else if (request.verb == CONTROL_STREAM)
		run_stream(client, &request);
	else if (request.verb == CONTROL_SET)
		run_set(client, &request);
	else
		run_topics(client);
	json_decref(request.value);
}

/* Run the first complete line, if nothing is pending. */
static bool client_run_next(struct client *client)
{
	char *end = memchr(client->request, '\n', client->request_bytes);
	size_t length;

	if (client->out.count || client->stream.kind || client->is_broken)
		return false;
	if (!end && client->request_bytes == sizeof(client->request)) {
		client_refuse(client, "the request is too long");
		client->request_bytes = 0;
		client->is_ended = client->is_last = true;
		return true;
	}
	if (!end) {
		client->is_broken |= client->is_ended; /* it asks no more and has all its answers */
		return false;
	}
	length = (size_t)(end - client->request);
	client_run_request(client, client->request, length);
	client->request_bytes -= length + 1;
	memmove(client->request, end + 1, client->request_bytes);
	return true;
}

static void client_read(struct client *client)
{
	char ignored[256];
	bool is_stream = client->stream.kind != NULL;
	char *to = is_stream ? ignored : client->request + client->request_bytes;
	size_t room = is_stream ? sizeof(ignored) : sizeof(client->request) - client->request_bytes;
	ssize_t got = recv(client->fd, to, room, MSG_DONTWAIT);

	if (got < 0) {
		client->is_broken |= errno != EAGAIN && errno != EINTR;
		return;
	}
	if (!is_stream)
		client->request_bytes += (size_t)got;
	if (!got)
		client->is_ended = true;
}

static void client_run(struct client *client, uint32_t events)
{
	if (events & (EPOLLHUP | EPOLLERR)) {
		client->is_broken = true;
		return;
	}
	if (events & EPOLLIN)
		client_read(client);
	do
		client_send(client);
	while (client_run_next(client));
	if (!client->is_broken)
		client_rearm(client);
}

/* Source: unix(7), SO_PEERCRED. */
static bool is_allowed(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

static struct client **free_slot(struct control_server *server)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (!server->clients[i])
			return &server->clients[i];
	return NULL;
}

static void refuse(int fd, const char *line)
{
	(void)send(fd, line, strlen(line),
		   MSG_DONTWAIT | MSG_NOSIGNAL); /* it hears the end in any case */
}

static void server_adopt(struct control_server *server, int accepted)
{
	_cleanup_close_ int fd = accepted;
	_cleanup_free_ struct client *client = NULL;
	struct client **slot = free_slot(server);

	if (!is_allowed(fd)) {
		refuse(fd, "{\"ok\":false,\"error\":\"permission denied\"}\n");
		return;
	}
	client = slot ? calloc(1, sizeof(*client)) : NULL;
	if (!client || epoll_set(server, EPOLL_CTL_ADD, fd, EPOLLIN, client) < 0) {
		refuse(fd, "{\"ok\":false,\"error\":\"too many clients\"}\n");
		return;
	}
	client->server = server;
	client->waits_for = EPOLLIN;
	client->progress_ns = server->now_ns;
	client->fd = TAKE_FD(fd);
	*slot = TAKE_PTR(client);
}

static void server_accept(struct control_server *server)
{
	for (;;) {
		int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			server_adopt(server, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		/* Without a descriptor to accept with, the socket would stay readable and the owner busy. */
		if (errno != EAGAIN &&
		    epoll_set(server, EPOLL_CTL_MOD, server->listen_fd, 0, NULL) == 0)
			server->paused_ns = server->now_ns + ACCEPT_PAUSE_NS;
		return;
	}
}

static void server_resume(struct control_server *server)
{
	if (!server->paused_ns || server->now_ns < server->paused_ns)
		return;
	if (epoll_set(server, EPOLL_CTL_MOD, server->listen_fd, EPOLLIN, NULL) == 0)
		server->paused_ns = 0;
}

static bool is_stalled(const struct client *client, uint64_t now_ns)
{
	uint64_t patience_ns = client->out.count ? CONTROL_STALL_NS : IDLE_NS;

	if (client->stream.kind && !client->out.count)
		return false; /* nothing happens, nothing to send */
	return now_ns > client->progress_ns && now_ns - client->progress_ns > patience_ns;
}

static void server_drop_broken(struct control_server *server)
{
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct client *client = server->clients[i];

		if (client && (client->is_broken || is_stalled(client, server->now_ns)))
			client_free(&server->clients[i]);
	}
}

int control_server_run(struct control_server *server, uint64_t now_ns)
{
	struct epoll_event events[CONTROL_CLIENTS_MAX + 1];
	int count = epoll_wait(server->epoll_fd, events, CONTROL_CLIENTS_MAX + 1, 0);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	server->now_ns = now_ns;
	for (int i = 0; i < count; i++)
		if (events[i].data.ptr)
			client_run(events[i].data.ptr, events[i].events);
		else
			server_accept(server);
	server_resume(server);
	server_drop_broken(server);
	return 0;
}

static struct client *client_of(struct control_stream *stream)
{
	return (struct client *)(void *)((char *)stream - offsetof(struct client, stream));
}

int control_stream_push(struct control_stream *stream, const void *bytes, size_t length)
{
	struct client *client = client_of(stream);
	bool was_empty = !client->out.count;
	int error;

	if (client->is_broken || (client->is_ended && !client->is_last))
		return -EPIPE;
	error = byte_queue_push(&client->out, bytes, length);
	if (!error && was_empty && length) {
		client->progress_ns = client->server->now_ns;
		client_rearm(client);
	}
	return error;
}

void control_stream_set_data(struct control_stream *stream, void *data)
{
	stream->data = data;
}

void *control_stream_data(const struct control_stream *stream)
{
	return stream->data;
}

int control_server_fd(const struct control_server *server)
{
	return server->epoll_fd;
}

int control_server_open(const char *path, const struct control_table *table,
			struct control_server **ret_server)
{
	_cleanup_(control_server_close) struct control_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return -ENOMEM;
	server->table = table;
	server->listen_fd = -1;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	server->path = strdup(path);
	if (!server->path)
		return -ENOMEM;
	server->listen_fd = unix_socket_listen(path, &server->file);
	if (server->listen_fd < 0)
		return server->listen_fd;
	error = epoll_set(server, EPOLL_CTL_ADD, server->listen_fd, EPOLLIN, NULL);
	if (error)
		return error;
	*ret_server = TAKE_PTR(server);
	return 0;
}

void control_server_close(struct control_server **server)
{
	if (!*server)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		client_free(&(*server)->clients[i]);
	if ((*server)->listen_fd >= 0) {
		close((*server)->listen_fd);
		unix_socket_remove((*server)->path, &(*server)->file);
	}
	if ((*server)->epoll_fd >= 0)
		close((*server)->epoll_fd);
	free((*server)->path);
	free(*server);
	*server = NULL;
}
