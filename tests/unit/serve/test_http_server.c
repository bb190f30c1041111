/* SPDX-License-Identifier: Apache-2.0 */
/* A server on a free port of 127.0.0.1, an owner thread that counts the snapshots it publishes, and
 * clients that speak HTTP by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "aggregate/labels.h"
#include "serve/http_server.h"
#include "serve/listen_address.h"

#define SCRAPERS 100

struct fixture {
	struct series_store *store; /* the owner thread's while it runs */
	struct exchange *exchange;
	struct http_server *server;
	pthread_t owner;
	int stop_fd;
	bool has_owner;
};

static void owner_answer(struct fixture *fixture)
{
	http_server_report(fixture->server, fixture->store);
	(void)series_add(fixture->store, METRIC_TURNS_MISSED, (label_values){ 0 }, 0, 1);
	exchange_publish(fixture->exchange, series_snapshot(fixture->store));
}

static void *owner_loop(void *argument)
{
	struct fixture *fixture = argument;
	struct pollfd polled[] = {
		{ .fd = exchange_fd(fixture->exchange), .events = POLLIN },
		{ .fd = fixture->stop_fd, .events = POLLIN },
	};

	for (;;) {
		assert_true(poll(polled, 2, -1) > 0);
		if (polled[1].revents)
			return NULL;
		owner_answer(fixture);
	}
}

static void owner_start(struct fixture *fixture)
{
	assert_int_equal(pthread_create(&fixture->owner, NULL, owner_loop, fixture), 0);
	fixture->has_owner = true;
}

static void owner_stop(struct fixture *fixture)
{
	if (!fixture->has_owner)
		return;
	assert_int_equal(eventfd_write(fixture->stop_fd, 1), 0);
	pthread_join(fixture->owner, NULL);
	fixture->has_owner = false;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->store = series_store_new(100);
	fixture->exchange = exchange_new();
	fixture->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (http_server_start("127.0.0.1:0", fixture->exchange, &fixture->server) < 0)
		return -1;
	owner_start(fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	owner_stop(fixture);
	http_server_stop(&fixture->server);
	exchange_free(&fixture->exchange);
	series_store_free(&fixture->store);
	close(fixture->stop_fd);
	free(fixture);
	return 0;
}

/* An answer, whole. */
struct answer {
	char *bytes; /* owned; terminated */
	size_t length;
	size_t body; /* where it begins */
	int status;
};

static void answer_done(struct answer *answer)
{
	free(answer->bytes);
	answer->bytes = NULL;
}

static int connect_to(const struct http_server *server)
{
	struct sockaddr_storage address;
	socklen_t length;
	int fd;

	assert_int_equal(listen_address_parse(http_server_address(server), &address, &length), 0);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

/* Read until the other side closes. */
static void read_all(int fd, struct answer *answer)
{
	const char *end;
	ssize_t got;

	*answer = (struct answer){ .bytes = malloc(1 << 20) };
	while ((got = read(fd, answer->bytes + answer->length, (1 << 20) - 1 - answer->length)) > 0)
		answer->length += (size_t)got;
	answer->bytes[answer->length] = '\0';
	end = strstr(answer->bytes, "\r\n\r\n");
	answer->body = end ? (size_t)(end + 4 - answer->bytes) : answer->length;
	(void)sscanf(answer->bytes, "HTTP/1.1 %d", &answer->status);
}

static void ask_raw(const struct http_server *server, const char *request, struct answer *answer)
{
	int fd = connect_to(server);

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	read_all(fd, answer);
	close(fd);
}

static void ask(const struct http_server *server, const char *method, const char *path,
		const char *headers, struct answer *answer)
{
	char request[1024];

	snprintf(request, sizeof(request),
		 "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n", method, path,
		 headers);
	ask_raw(server, request, answer);
}

static void assert_answer(const struct http_server *server, const char *method, const char *path,
			  const char *headers, int status, const char *part)
{
	struct answer answer;

	ask(server, method, path, headers, &answer);
	assert_int_equal(answer.status, status);
	if (!strstr(answer.bytes, part))
		fail_msg("«%s» is not in the answer: %s", part, answer.bytes);
	answer_done(&answer);
}

static void formats_are_negotiated(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer;

	assert_answer(fixture->server, "GET", "/metrics", "", 200,
		      "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_answer(fixture->server, "GET", "/metrics", "", 200,
		      "# TYPE sonde_turns_missed_total counter\n");
	assert_answer(
		fixture->server, "GET", "/metrics",
		"Accept: application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1\r\n", 200,
		"Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n");
	ask(fixture->server, "GET", "/metrics", "Accept: application/openmetrics-text\r\n",
	    &answer);
	assert_string_equal(answer.bytes + answer.length - 6, "# EOF\n");
	answer_done(&answer);
}

static void gzip_is_sent_when_asked_for(void **state)
{
	struct fixture *fixture = *state;
	z_stream stream = { 0 };
	struct answer answer;
	char text[1 << 16];

	ask(fixture->server, "GET", "/metrics", "Accept-Encoding: gzip\r\n", &answer);
	assert_non_null(strstr(answer.bytes, "Content-Encoding: gzip\r\n"));
	stream.next_in = (Bytef *)answer.bytes + answer.body;
	stream.avail_in = (uInt)(answer.length - answer.body);
	stream.next_out = (Bytef *)text;
	stream.avail_out = sizeof(text) - 1;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	text[stream.total_out] = '\0';
	inflateEnd(&stream);
	assert_non_null(strstr(text, "sonde_turns_missed_total 1\n"));
	answer_done(&answer);
	ask(fixture->server, "GET", "/metrics", "Accept-Encoding: br, gzip;q=0\r\n", &answer);
	assert_null(strstr(answer.bytes, "Content-Encoding"));
	answer_done(&answer);
}

static void head_has_no_body(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer;

	ask(fixture->server, "HEAD", "/metrics", "", &answer);
	assert_int_equal(answer.status, 200);
	assert_int_equal(answer.body, answer.length);
	assert_null(strstr(answer.bytes, "Content-Length: 0"));
	answer_done(&answer);
}

static void other_paths_and_methods(void **state)
{
	struct fixture *fixture = *state;
	const struct http_server *server = fixture->server;

	assert_answer(server, "GET", "/", "", 200, "href=\"/metrics\"");
	assert_answer(server, "GET", "/healthz", "", 200, "ok\n");
	assert_answer(server, "GET", "/metrics/", "", 404, "not found");
	assert_answer(server, "GET", "/../etc/passwd", "", 404, "not found");
	assert_answer(server, "POST", "/metrics", "Content-Length: 1\r\n", 405,
		      "Allow: GET, HEAD\r\n");
	assert_answer(server, "DELETE", "/metrics", "", 405, "Allow: GET, HEAD\r\n");
	assert_answer(server, "GET", "/metrics?x=1", "", 200, "# HELP");
}

static void readiness_is_told(void **state)
{
	struct fixture *fixture = *state;

	assert_answer(fixture->server, "GET", "/readyz", "", 503, "not ready: starting\n");
	exchange_set_ready(fixture->exchange, true, NULL);
	assert_answer(fixture->server, "GET", "/readyz", "", 200, "ready\n");
}

static void malformed_requests_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer;
	char *request = malloc(100000);

	ask_raw(fixture->server, "GARBAGE\r\n\r\n", &answer);
	assert_true(answer.status == 400 || answer.length == 0);
	answer_done(&answer);
	ask_raw(fixture->server, "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", &answer);
	assert_true(answer.status == 400);
	answer_done(&answer);
	memset(request, 'a', 100000);
	memcpy(request, "GET /metrics HTTP/1.1\r\nX: ", 26);
	memcpy(request + 30000, "\r\n\r\n", 5);
	ask_raw(fixture->server, request, &answer);
	assert_in_range(answer.status, 413, 431);
	answer_done(&answer);
	free(request);
	assert_answer(fixture->server, "GET", "/healthz", "", 200, "ok\n");
}

/* A body on GET is read and ignored, the connection is still in step afterwards. */
static void bodies_are_ignored(void **state)
{
	struct fixture *fixture = *state;
	struct answer answer;

	ask_raw(fixture->server,
		"GET /healthz HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
		"GET /readyz HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
		&answer);
	assert_non_null(strstr(answer.bytes, "\r\n\r\nok\n"));
	assert_non_null(strstr(answer.bytes, "not ready: starting\n"));
	answer_done(&answer);
}

struct scraper {
	pthread_t thread;
	const struct http_server *server;
	unsigned number;
	int status;
};

static void *scrape_in_thread(void *argument)
{
	static const char *const headers[] = {
		"",
		"Accept-Encoding: gzip\r\n",
		"Accept: application/openmetrics-text\r\n",
		"Accept: application/openmetrics-text\r\nAccept-Encoding: gzip\r\n",
	};
	struct scraper *scraper = argument;
	struct answer answer;

	ask(scraper->server, "GET", "/metrics", headers[scraper->number % 4], &answer);
	scraper->status = answer.status;
	answer_done(&answer);
	return NULL;
}

static void scrapers_start(struct fixture *fixture, struct scraper scrapers[SCRAPERS])
{
	for (unsigned i = 0; i < SCRAPERS; i++) {
		scrapers[i] = (struct scraper){ .server = fixture->server, .number = i };
		assert_int_equal(pthread_create(&scrapers[i].thread, NULL, scrape_in_thread,
						&scrapers[i]),
				 0);
	}
}

static void a_hundred_scrapers_share_snapshots(void **state)
{
	struct scraper scrapers[SCRAPERS];
	struct fixture *fixture = *state;
	struct pollfd polled;

	/* All of them wait for an owner that is busy elsewhere. */
	owner_stop(fixture);
	scrapers_start(fixture, scrapers);
	polled = (struct pollfd){ .fd = exchange_fd(fixture->exchange), .events = POLLIN };
	assert_int_equal(poll(&polled, 1, -1), 1);
	assert_int_equal(eventfd_read(fixture->stop_fd, &(eventfd_t){ 0 }), 0);
	owner_start(fixture);
	for (unsigned i = 0; i < SCRAPERS; i++) {
		pthread_join(scrapers[i].thread, NULL);
		assert_int_equal(scrapers[i].status, 200);
	}
	assert_true(exchange_published(fixture->exchange) < SCRAPERS);
}

static uint64_t counter_read(const struct series_store *store, enum metric metric)
{
	struct snapshot *snapshot = series_snapshot(store);
	const struct sample *samples;
	uint64_t total = 0;
	size_t count;

	samples = snapshot_samples(snapshot, metric, &count);
	for (size_t i = 0; i < count; i++)
		total += metric_table[metric].type == METRIC_HISTOGRAM ?
				 samples[i].histogram->count :
				 samples[i].total;
	snapshot_unref(&snapshot);
	return total;
}

static void scrapes_are_counted(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < 5; i++)
		assert_answer(fixture->server, "GET", "/metrics", "", 200, "");
	owner_stop(fixture);
	http_server_report(fixture->server, fixture->store);
	assert_int_equal(counter_read(fixture->store, METRIC_SCRAPES), 5);
	assert_int_equal(counter_read(fixture->store, METRIC_SCRAPE_DURATION), 5);
	assert_int_equal(counter_read(fixture->store, METRIC_SNAPSHOTS), 5);
	assert_true(counter_read(fixture->store, METRIC_SCRAPE_BYTES) > 0);
}

static uint64_t scrapes_with(struct fixture *fixture, const char *outcome)
{
	struct snapshot *snapshot;
	const struct sample *samples;
	uint64_t total = 0;
	size_t count;

	http_server_report(fixture->server, fixture->store);
	snapshot = series_snapshot(fixture->store);
	samples = snapshot_samples(snapshot, METRIC_SCRAPES, &count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(labels_next(samples[i].values), outcome) == 0)
			total += samples[i].total;
	snapshot_unref(&snapshot);
	return total;
}

static void a_silent_owner_gets_the_old_page_served(void **state)
{
	struct fixture *fixture = *state;

	owner_stop(fixture);
	assert_answer(fixture->server, "GET", "/metrics", "", 503, "no metrics");
	owner_answer(fixture);
	assert_answer(fixture->server, "GET", "/metrics", "", 200, "sonde_turns_missed_total 1\n");
	assert_answer(fixture->server, "GET", "/healthz", "", 503, "collection does not answer\n");
	assert_int_equal(scrapes_with(fixture, "failed"), 1);
	assert_int_equal(scrapes_with(fixture, "stale"), 1);
	assert_int_equal(scrapes_with(fixture, "fresh"), 0);
}

/* Those who wait get an answer, not a closed connection. */
static void stopping_answers_those_who_wait(void **state)
{
	struct scraper scraper;
	struct fixture *fixture = *state;
	struct pollfd polled = { .fd = exchange_fd(fixture->exchange), .events = POLLIN };

	owner_stop(fixture);
	scraper = (struct scraper){ .server = fixture->server };
	assert_int_equal(pthread_create(&scraper.thread, NULL, scrape_in_thread, &scraper), 0);
	assert_int_equal(poll(&polled, 1, -1), 1);
	exchange_stop(fixture->exchange);
	pthread_join(scraper.thread, NULL);
	assert_int_equal(scraper.status, 503);
}

static void a_server_that_cannot_start_says_why(void **state)
{
	struct fixture *fixture = *state;
	struct http_server *second = NULL;

	assert_int_equal(http_server_start("nonsense", fixture->exchange, &second), -EINVAL);
	assert_int_equal(http_server_start(http_server_address(fixture->server), fixture->exchange,
					   &second),
			 -EADDRINUSE);
	assert_null(second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(formats_are_negotiated),
		TEST(gzip_is_sent_when_asked_for),
		TEST(head_has_no_body),
		TEST(other_paths_and_methods),
		TEST(readiness_is_told),
		TEST(malformed_requests_are_refused),
		TEST(bodies_are_ignored),
		TEST(a_hundred_scrapers_share_snapshots),
		TEST(scrapes_are_counted),
		TEST(a_silent_owner_gets_the_old_page_served),
		TEST(stopping_answers_those_who_wait),
		TEST(a_server_that_cannot_start_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
