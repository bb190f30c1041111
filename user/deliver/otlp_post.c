/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OTLP specification 1.x, "OTLP/HTTP". */
#include "deliver/otlp_post.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/retry.h"
#include "export/gzip.h"
#include "export/otlp.h"

#define NS_PER_MS 1000000u
/* What a receiver says beyond this is not read. */
#define ANSWER_MAX 65536
/* A receiver that stays away is spoken of so often. */
#define WARN_INTERVAL_NS (60ull * NS_PER_SECOND)

struct otlp_post {
	struct otlp_settings settings; /* owned, like all that follow but for the borrowed */
	struct curl_slist *headers;
	struct curl_slist *packed_headers; /* of a body in gzip */
	CURL *curl;
	const struct span_resource *resource; /* borrowed */
	const struct wall_clock *clock;	      /* borrowed */
	const _Atomic uint64_t *deadline_ns;  /* borrowed from the batch */
	struct arena arena; /* of encode, as the settings; what follows is of send */
	unsigned tries;	    /* that failed, of the newest batch */
	uint64_t warned_ns; /* 0: the receiver answers */
	size_t answer_length;
	uint8_t answer[ANSWER_MAX];
	char error[CURL_ERROR_SIZE];
};

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct otlp_post *post = context;
	size_t length = size * count, room = ANSWER_MAX - post->answer_length;

	memcpy(post->answer + post->answer_length, bytes, length < room ? length : room);
	post->answer_length += length < room ? length : room;
	return length;
}

/* libcurl asks once a second at least. */
static int is_time_over(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
			curl_off_t up)
{
	const struct otlp_post *post = context;

	(void)down_total, (void)down, (void)up_total, (void)up;
	return monotonic_ns() >= atomic_load_explicit(post->deadline_ns, memory_order_acquire);
}

static bool add_header(struct curl_slist **headers, const char *header)
{
	struct curl_slist *list = curl_slist_append(*headers, header);

	if (list)
		*headers = list;
	return list != NULL;
}

static bool add_headers(struct otlp_post *post, struct curl_slist **headers)
{
	bool is_added = add_header(headers, "Content-Type: application/x-protobuf") &&
			add_header(headers, "Expect:"); /* a body is sent without asking first */

	for (size_t i = 0; i < post->settings.header_count; i++)
		is_added = is_added && add_header(headers, post->settings.headers[i]);
	return is_added;
}

static bool add_all_headers(struct otlp_post *post)
{
	return add_headers(post, &post->headers) && add_headers(post, &post->packed_headers) &&
	       add_header(&post->packed_headers, "Content-Encoding: gzip");
}

/* A NULL leaves libcurl's default. */
static bool set_text(CURL *curl, CURLoption option, const char *text)
{
	return !text || curl_easy_setopt(curl, option, text) == CURLE_OK;
}

static bool set_options(struct otlp_post *post)
{
	const struct otlp_settings *settings = &post->settings;
	CURL *curl = post->curl;

	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER,
			       post->error); /* only stored, like these */
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0l);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_time_over);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, post);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, post);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
	return set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       set_text(curl, CURLOPT_USERAGENT, SPAN_SCOPE) &&
	       set_text(curl, CURLOPT_URL, settings->url) &&
	       set_text(curl, CURLOPT_CAINFO, settings->certificate) &&
	       set_text(curl, CURLOPT_SSLCERT, settings->client_certificate) &&
	       set_text(curl, CURLOPT_SSLKEY, settings->client_key);
}

static void post_close(void *context)
{
	struct otlp_post *post = context;

	curl_easy_cleanup(post->curl);
	curl_slist_free_all(post->headers);
	curl_slist_free_all(post->packed_headers);
	otlp_settings_done(&post->settings);
	arena_done(&post->arena);
	free(post);
}

int otlp_post_new(struct otlp_settings *settings, const struct span_resource *resource,
		  const struct wall_clock *clock, struct otlp_post **ret_post)
{
	struct otlp_post *post = NULL;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	post = calloc(1, sizeof(*post));
	if (!post)
		return -ENOMEM;
	post->settings = *settings;
	post->resource = resource;
	post->clock = clock;
	post->curl = curl_easy_init();
	if (!post->curl || !add_all_headers(post) || !set_options(post)) {
		int error = post->curl ? -EINVAL : -ENOMEM;

		post->settings = (struct otlp_settings){ 0 };
		post_close(post);
		return error;
	}
	*settings = (struct otlp_settings){ 0 };
	*ret_post = post;
	return 0;
}

static int post_encode(void *context, struct span_record *const *records, size_t count,
		       struct text_buffer *ret_body)
{
	struct otlp_post *post = context;
	struct text_buffer plain = { 0 }, packed = { 0 };
	int error;

	arena_clear(&post->arena);
	error = otlp_encode(records, count, post->resource, post->clock, &post->arena, &plain);
	if (!error && !post->settings.is_gzip) {
		*ret_body = plain;
		return 0;
	}
	if (!error)
		error = gzip_compress(&plain, &packed);
	text_buffer_done(&plain);
	if (error)
		text_buffer_done(&packed);
	else
		*ret_body = packed;
	return error;
}

/* A batch of an earlier process may be packed when ours are not. A message never begins like that: it would be a field with
 * number 3. Source: RFC 1952 section 2.3.1 */
static bool is_packed(const struct delivery_body *body)
{
	return body->length > 2 && memcmp(body->bytes, "\x1f\x8b", 2) == 0;
}

/* Returns the HTTP status; 0: there was no answer, and post->error says why. */
static long perform(struct otlp_post *post, const struct delivery_body *body,
		    curl_off_t *ret_after_s)
{
	long status = 0;
	CURLcode code;

	post->answer_length = 0;
	post->error[0] = '\0';
	*ret_after_s = 0;
	(void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS,
			       body->bytes); /* as those that follow */
	(void)curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
	(void)curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER,
			       is_packed(body) ? post->packed_headers : post->headers);
	code = curl_easy_perform(post->curl);
	if (code != CURLE_OK) {
		if (!post->error[0])
			snprintf(post->error, sizeof(post->error), "%s", curl_easy_strerror(code));
		return 0;
	}
	(void)curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status); /* 0 when it fails */
	(void)curl_easy_getinfo(post->curl, CURLINFO_RETRY_AFTER, ret_after_s);
	snprintf(post->error, sizeof(post->error), "HTTP status %ld", status);
	return status;
}

static void tell_failure(struct otlp_post *post, const char *consequence)
{
	uint64_t now = monotonic_ns();

	if (post->warned_ns && now - post->warned_ns < WARN_INTERVAL_NS)
		return;
	post->warned_ns = now;
	log_warn("spans to %s: %s; %s", post->settings.shown_url, post->error, consequence);
}

static void tell_recovery(struct otlp_post *post)
{
	if (post->warned_ns)
		log_info("spans to %s: delivered again", post->settings.shown_url);
	post->warned_ns = 0;
}

static void read_answer(struct otlp_post *post, size_t count, struct delivery_outcome *outcome)
{
	char why[OTLP_WHY_MAX];

	outcome->dropped = otlp_read_rejected(post->answer, post->answer_length, count, why);
	outcome->reason = SPAN_DROP_PARTIAL_SUCCESS;
	if (!outcome->dropped) {
		tell_recovery(post);
		return;
	}
	snprintf(post->error, sizeof(post->error), "%zu spans rejected: %s", outcome->dropped, why);
	tell_failure(post, "they are lost");
}

static void try_later(struct otlp_post *post, uint64_t after_s, struct delivery_outcome *outcome)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random),
			 GRND_NONBLOCK); /* without it all wait the least */
	outcome->wait_ms = retry_wait_ms(++post->tries, after_s, random);
	tell_failure(post, "trying again");
}

static void post_send(void *context, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome)
{
	struct otlp_post *post = context;
	struct delivery_outcome outcome = { .is_settled = true };
	curl_off_t after_s;
	long status;

	post->deadline_ns = body->deadline_ns;
	if (!body->is_again)
		post->tries = 0;
	status = perform(post, body, &after_s);
	switch (retry_judge(status)) {
	case RETRY_DELIVERED:
		read_answer(post, body->count, &outcome);
		break;
	case RETRY_REFUSED:
		outcome.dropped = body->count;
		outcome.reason = SPAN_DROP_REJECTED;
		tell_failure(post, "they are lost");
		break;
	case RETRY_AGAIN:
		outcome.is_settled = false;
		try_later(post, (uint64_t)after_s, &outcome);
		break;
	}
	*ret_outcome = outcome;
}

const struct delivery_route otlp_post_route = { "otlp", post_encode, post_send, post_close };
