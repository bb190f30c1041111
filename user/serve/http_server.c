/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd reads and writes; what is asked for is decided here; scrape.c makes the pages. */
#include "serve/http_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "export/accept.h"
#include "serve/listen_address.h"
#include "serve/scrape.h"

#define SERVER_THREADS 2u
#define CONNECTIONS_MAX 256u /* further ones wait in the listen queue */
#define IDLE_TIMEOUT_S 30u
/* Of a connection, request header included: a longer one gets 431. */
#define CONNECTION_MEMORY_BYTES (16u * 1024)

static const char index_page[] = "<!doctype html>\n<title>sonde</title>\n<h1>sonde</h1>\n<ul>\n"
				 "<li><a href=\"/metrics\">/metrics</a>\n"
				 "<li><a href=\"/healthz\">/healthz</a>\n"
				 "<li><a href=\"/readyz\">/readyz</a>\n</ul>\n";

struct http_server {
	struct MHD_Daemon *daemon;	  /* owned */
	struct scrape_renderer *renderer; /* owned */
	struct exchange *exchange;	  /* borrowed */
	char address[LISTEN_ADDRESS_TEXT_MAX];
};

static const char text_plain[] = "text/plain; charset=utf-8";

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status,
			     const char *content_type, const char *text, const char *allow)
{
	enum MHD_Result result = MHD_NO;
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
						   MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, "Content-Type", content_type) == MHD_YES &&
	    (!allow || MHD_add_response_header(response, "Allow", allow) == MHD_YES))
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* A place to be at, and how it answers. */
struct route {
	const char *path;
	enum MHD_Result (*answer)(struct http_server *server, struct MHD_Connection *connection,
				  void **request_state);
};

static enum MHD_Result answer_index(struct http_server *server, struct MHD_Connection *connection,
				    void **request_state)
{
	(void)server;
	(void)request_state;
	return reply(connection, MHD_HTTP_OK, "text/html; charset=utf-8", index_page, NULL);
}

static enum MHD_Result answer_healthz(struct http_server *server, struct MHD_Connection *connection,
				      void **request_state)
{
	(void)request_state;
	if (exchange_is_stale(server->exchange))
		return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text_plain,
			     "collection does not answer\n", NULL);
	return reply(connection, MHD_HTTP_OK, text_plain, "ok\n", NULL);
}

static enum MHD_Result answer_readyz(struct http_server *server, struct MHD_Connection *connection,
				     void **request_state)
{
	const char *reason = exchange_unready_reason(server->exchange);
	char text[256];

	(void)request_state;
	if (!reason)
		return reply(connection, MHD_HTTP_OK, text_plain, "ready\n", NULL);
	snprintf(text, sizeof(text), "not ready: %s\n", reason);
	return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text_plain, text, NULL);
}

static const char *request_header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer_unavailable(struct MHD_Connection *connection)
{
	return reply(connection, MHD_HTTP_SERVICE_UNAVAILABLE, text_plain,
		     "no metrics: collection has not started, is stopping or has no memory\n",
		     NULL);
}

/* The first time: wait for a page. on_request comes again when it is there. */
static enum MHD_Result answer_metrics(struct http_server *server, struct MHD_Connection *connection,
				      void **request_state)
{
	struct scrape *scrape = scrape_new(connection);
	int err;

	if (!scrape)
		return answer_unavailable(connection);
	scrape->exporter = exporter_choose(request_header(connection, "Accept"));
	scrape->is_gzip = accept_gzip(request_header(connection, "Accept-Encoding"));
	*request_state = scrape;
	err = scrape_submit(server->renderer, scrape);
	return err < 0 ? answer_unavailable(connection) : MHD_YES;
}

static const struct route routes[] = {
	{ "/", answer_index },
	{ "/metrics", answer_metrics },
	{ "/healthz", answer_healthz },
	{ "/readyz", answer_readyz },
};

/* State of a request whose header has been read, before there is a scrape. */
static char header_seen;

static enum MHD_Result answer_scrape(struct MHD_Connection *connection, const struct scrape *scrape)
{
	struct MHD_Response *response = scrape_response(scrape);

	if (!response)
		return answer_unavailable(connection);
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

/* libmicrohttpd calls once with the header, then with each part of a body, then with none left. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *body, size_t *body_bytes, void **request_state)
{
	(void)version;
	(void)body;
	if (!*request_state) {
		*request_state = &header_seen;
		if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
			return MHD_YES;
		return reply(connection, MHD_HTTP_METHOD_NOT_ALLOWED, text_plain,
			     "only GET and HEAD\n", "GET, HEAD");
	}
	if (*body_bytes) { /* a GET may have one; it says nothing */
		*body_bytes = 0;
		return MHD_YES;
	}
	if (*request_state != &header_seen)
		return answer_scrape(connection, *request_state);
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (strcmp(path, routes[i].path) == 0)
			return routes[i].answer(context, connection, request_state);
	return reply(connection, MHD_HTTP_NOT_FOUND, text_plain,
		     "not found: there are /metrics, /healthz and /readyz\n", NULL);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_state,
			 enum MHD_RequestTerminationCode how)
{
	struct scrape *scrape = *request_state == &header_seen ? NULL : *request_state;

	(void)context;
	(void)connection;
	(void)how;
	scrape_free(&scrape);
	*request_state = NULL;
}

static int address_read(int fd, char ret_text[LISTEN_ADDRESS_TEXT_MAX])
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	listen_address_format(&address, ret_text);
	return 0;
}

static int listen_open(const char *listen)
{
	struct sockaddr_storage address;
	socklen_t length;
	int err;

	err = listen_address_parse(listen, &address, &length);
	if (err < 0)
		return err;
	return listen_address_open(&address, length);
}

/* libmicrohttpd's reasons are not told apart; what is likely is a thread or a descriptor that
 * cannot be had. */
static int daemon_start(struct http_server *server, int listen_fd)
{
	errno = 0;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request,
		server, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_THREAD_POOL_SIZE,
		SERVER_THREADS, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_END);
	if (!server->daemon)
		return errno ? -errno : -EAGAIN;
	return 0;
}

/* Signals are for the thread that started us. */
static int threads_start(struct http_server *server, int listen_fd)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = scrape_renderer_start(server->exchange, &server->renderer);
	if (err == 0)
		err = daemon_start(server, listen_fd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int http_server_start(const char *listen, struct exchange *exchange,
		      struct http_server **ret_server)
{
	_cleanup_(http_server_stop) struct http_server *server = NULL;
	_cleanup_close_ int fd = listen_open(listen);
	int err;

	if (fd < 0)
		return fd;
	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->exchange = exchange;
	err = address_read(fd, server->address);
	if (err < 0)
		return err;
	err = threads_start(server, fd);
	if (err < 0)
		return err;
	(void)TAKE_FD(fd); /* the daemon closes it */
	*ret_server = TAKE_PTR(server);
	return 0;
}

void http_server_stop(struct http_server **server)
{
	if (!*server)
		return;
	/* The renderer first: the daemon may not end while connections are suspended. */
	if ((*server)->renderer)
		scrape_renderer_stop((*server)->renderer);
	if ((*server)->daemon)
		MHD_stop_daemon((*server)->daemon);
	scrape_renderer_free(&(*server)->renderer);
	free(*server);
	*server = NULL;
}

const char *http_server_address(const struct http_server *server)
{
	return server->address;
}

void http_server_report(struct http_server *server, struct series_store *store)
{
	scrape_renderer_report(server->renderer, store);
}
