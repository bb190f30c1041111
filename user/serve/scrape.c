/* SPDX-License-Identifier: Apache-2.0 */
/* The renderer takes all scrapes that wait, then asks for a snapshot: each of them sees what
 * happened before it asked. Those that come meanwhile are the next round. */
#include "serve/scrape.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/gzip.h"

/* A scraper's own limit is 10 s by default (Prometheus, scrape_timeout): figures of before are
 * better than that. */
#define OWNER_TIMEOUT_MS 2000
/* Durations kept until the owner fetches them, which it does at each snapshot. */
#define DURATIONS_MAX 256

enum scrape_outcome {
	SCRAPE_FRESH,
	SCRAPE_STALE,
	SCRAPE_FAILED,
	SCRAPE_OUTCOME_COUNT,
};

static const char *const outcome_names[SCRAPE_OUTCOME_COUNT] = {
	[SCRAPE_FRESH] = "fresh",
	[SCRAPE_STALE] = "stale",
	[SCRAPE_FAILED] = "failed",
};

struct page {
	atomic_uint references;
	struct MHD_Response *response; /* owned */
	size_t bytes;
};

struct scrape_stats {
	uint64_t scrapes[EXPORTER_COUNT][SCRAPE_OUTCOME_COUNT];
	uint64_t bytes[EXPORTER_COUNT];
	/* When the owner does not come to fetch them, further ones are left out of the
	 * histogram. */
	uint64_t durations_ns[DURATIONS_MAX];
	size_t duration_count;
};

struct scrape_renderer {
	struct exchange *exchange; /* borrowed */
	pthread_t thread;
	/* Guards all that follows. */
	pthread_mutex_t lock;
	pthread_cond_t submitted;
	struct scrape *waiting; /* borrowed from their connections */
	struct scrape_stats stats;
	bool is_stopped;
};

/* The pages of one round, made when the first scrape wants each. */
struct round {
	struct snapshot *snapshot; /* owned reference; NULL: there is none */
	enum scrape_outcome outcome;
	struct text_buffer plain[EXPORTER_COUNT]; /* owned; kept for compressing */
	struct page *pages[EXPORTER_COUNT][2];	  /* owned references; plain, gzip */
};

static void page_unref(struct page **page)
{
	struct page *mine = *page;

	*page = NULL;
	if (!mine || atomic_fetch_sub(&mine->references, 1) != 1)
		return;
	MHD_destroy_response(mine->response);
	free(mine);
}

static struct page *page_ref(struct page *page)
{
	if (page)
		atomic_fetch_add(&page->references, 1);
	return page;
}

/* Takes the buffer's bytes. */
static struct page *page_new(struct text_buffer *body, const char *content_type, bool is_gzip)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	atomic_init(&page->references, 1);
	page->bytes = body->length;
	page->response =
		MHD_create_response_from_buffer(body->length, body->bytes, MHD_RESPMEM_MUST_FREE);
	if (!page->response) {
		free(page);
		return NULL;
	}
	body->bytes = NULL; /* the response frees it */
	if (MHD_add_response_header(page->response, "Content-Type", content_type) != MHD_YES ||
	    MHD_add_response_header(page->response, "Vary", "Accept, Accept-Encoding") != MHD_YES ||
	    (is_gzip &&
	     MHD_add_response_header(page->response, "Content-Encoding", "gzip") != MHD_YES))
		page_unref(&page);
	return page;
}

struct scrape *scrape_new(struct MHD_Connection *connection)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));

	if (!scrape)
		return NULL;
	scrape->connection = connection;
	scrape->start_ns = monotonic_ns();
	return scrape;
}

void scrape_free(struct scrape **scrape)
{
	if (*scrape)
		page_unref(&(*scrape)->page);
	free(*scrape);
	*scrape = NULL;
}

struct MHD_Response *scrape_response(const struct scrape *scrape)
{
	return scrape->page ? scrape->page->response : NULL;
}

static int plain_render(struct round *round, enum exporter_id id)
{
	int err;

	if (round->plain[id].length)
		return 0;
	err = exporter_table[id].render(round->snapshot, &round->plain[id]);
	if (err < 0)
		text_buffer_done(&round->plain[id]); /* half a page is none */
	return err;
}

/* Compressed pages are made first: a plain page takes the bytes that they are made of. */
static struct page *round_make(struct round *round, enum exporter_id id, bool is_gzip)
{
	_cleanup_(text_buffer_done) struct text_buffer packed = { 0 };
	struct text_buffer *body = &round->plain[id];
	int err;

	err = plain_render(round, id);
	if (err < 0)
		return NULL;
	if (is_gzip) {
		err = gzip_compress(&round->plain[id], &packed);
		if (err < 0)
			return NULL;
		body = &packed;
	}
	return page_new(body, exporter_table[id].content_type, is_gzip);
}

static void round_answer(struct round *round, struct scrape *scrapes, bool is_gzip)
{
	for (struct scrape *scrape = scrapes; scrape; scrape = scrape->next) {
		struct page **page = &round->pages[scrape->exporter][is_gzip];

		if (scrape->is_gzip != is_gzip)
			continue;
		if (!*page && round->snapshot)
			*page = round_make(round, scrape->exporter, is_gzip);
		scrape->page = page_ref(*page);
	}
}

static void round_done(struct round *round)
{
	for (enum exporter_id id = 0; id < EXPORTER_COUNT; id++) {
		text_buffer_done(&round->plain[id]);
		page_unref(&round->pages[id][false]);
		page_unref(&round->pages[id][true]);
	}
	snapshot_unref(&round->snapshot);
}

static void stats_count(struct scrape_renderer *renderer, const struct scrape *scrapes,
			enum scrape_outcome outcome)
{
	struct scrape_stats *stats = &renderer->stats;
	uint64_t end_ns = monotonic_ns();

	pthread_mutex_lock(&renderer->lock);
	for (const struct scrape *scrape = scrapes; scrape; scrape = scrape->next) {
		stats->scrapes[scrape->exporter][scrape->page ? outcome : SCRAPE_FAILED]++;
		if (scrape->page)
			stats->bytes[scrape->exporter] += scrape->page->bytes;
		if (stats->duration_count < DURATIONS_MAX)
			stats->durations_ns[stats->duration_count++] = end_ns - scrape->start_ns;
	}
	pthread_mutex_unlock(&renderer->lock);
}

static void resume_all(struct scrape *scrapes)
{
	struct scrape *next;

	for (; scrapes; scrapes = next) {
		next = scrapes->next; /* once resumed, the scrape is its connection's again */
		MHD_resume_connection(scrapes->connection);
	}
}

static void serve_round(struct scrape_renderer *renderer, struct scrape *scrapes)
{
	_cleanup_(round_done) struct round round = { .outcome = SCRAPE_FRESH };
	int err;

	err = exchange_wait(renderer->exchange, OWNER_TIMEOUT_MS, &round.snapshot);
	if (err == -ETIMEDOUT)
		round.outcome = SCRAPE_STALE;
	round_answer(&round, scrapes, true);
	round_answer(&round, scrapes, false);
	stats_count(renderer, scrapes, round.outcome);
	resume_all(scrapes);
}

/* All that wait; NULL when stopped and nobody does. */
static struct scrape *waiting_take(struct scrape_renderer *renderer)
{
	struct scrape *scrapes;

	pthread_mutex_lock(&renderer->lock);
	while (!renderer->waiting && !renderer->is_stopped)
		pthread_cond_wait(&renderer->submitted, &renderer->lock);
	scrapes = TAKE_PTR(renderer->waiting);
	pthread_mutex_unlock(&renderer->lock);
	return scrapes;
}

static void *render_loop(void *argument)
{
	struct scrape_renderer *renderer = argument;
	struct scrape *scrapes;

	while ((scrapes = waiting_take(renderer)))
		serve_round(renderer, scrapes);
	return NULL;
}

int scrape_renderer_start(struct exchange *exchange, struct scrape_renderer **ret_renderer)
{
	struct scrape_renderer *renderer = calloc(1, sizeof(*renderer));
	int err;

	if (!renderer)
		return -ENOMEM;
	renderer->exchange = exchange;
	pthread_mutex_init(&renderer->lock, NULL); /* default attributes: cannot fail on Linux */
	pthread_cond_init(&renderer->submitted, NULL);
	err = pthread_create(&renderer->thread, NULL, render_loop, renderer);
	if (err) {
		renderer->is_stopped = true;
		scrape_renderer_free(&renderer);
		return -err;
	}
	*ret_renderer = renderer;
	return 0;
}

void scrape_renderer_stop(struct scrape_renderer *renderer)
{
	pthread_mutex_lock(&renderer->lock);
	renderer->is_stopped = true;
	pthread_cond_signal(&renderer->submitted);
	pthread_mutex_unlock(&renderer->lock);
	exchange_stop(renderer->exchange);
	pthread_join(renderer->thread, NULL);
}

void scrape_renderer_free(struct scrape_renderer **renderer)
{
	if (!*renderer)
		return;
	pthread_cond_destroy(&(*renderer)->submitted);
	pthread_mutex_destroy(&(*renderer)->lock);
	free(*renderer);
	*renderer = NULL;
}

int scrape_submit(struct scrape_renderer *renderer, struct scrape *scrape)
{
	int err = 0;

	pthread_mutex_lock(&renderer->lock);
	if (renderer->is_stopped) {
		err = -ESHUTDOWN;
	} else {
		MHD_suspend_connection(scrape->connection);
		scrape->next = renderer->waiting;
		renderer->waiting = scrape;
		pthread_cond_signal(&renderer->submitted);
	}
	pthread_mutex_unlock(&renderer->lock);
	return err;
}

void scrape_renderer_report(struct scrape_renderer *renderer, struct series_store *store)
{
	struct scrape_stats stats;

	pthread_mutex_lock(&renderer->lock);
	stats = renderer->stats;
	renderer->stats.duration_count = 0;
	pthread_mutex_unlock(&renderer->lock);
	for (enum exporter_id id = 0; id < EXPORTER_COUNT; id++) {
		const char *format = exporter_table[id].name;

		for (enum scrape_outcome i = 0; i < SCRAPE_OUTCOME_COUNT; i++)
			(void)series_set_total(store, METRIC_SCRAPES,
					       (label_values){ format, outcome_names[i] }, 0,
					       stats.scrapes[id][i]);
		(void)series_set_total(store, METRIC_SCRAPE_BYTES, (label_values){ format }, 0,
				       stats.bytes[id]);
	}
	for (size_t i = 0; i < stats.duration_count; i++)
		(void)series_observe(store, METRIC_SCRAPE_DURATION, (label_values){ 0 }, 0,
				     stats.durations_ns[i]);
	(void)series_set_total(store, METRIC_SNAPSHOTS, (label_values){ 0 }, 0,
			       exchange_published(renderer->exchange));
}
