/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OTLP specification 1.x, "OTLP/HTTP". */
#include "deliver/otlp_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/retry.h"
#include "export/gzip.h"
#include "export/otlp.h"

/* What a receiver says beyond this is not read. */
#define ANSWER_MAX 65536
/* A receiver that stays away is spoken of so often. */
#define WARN_INTERVAL_NS (60ull * NS_PER_SECOND)

struct otlp_client {
	struct otlp_settings settings; /* owned, like all that follow but for the borrowed */
	struct curl_slist *headers;
	struct curl_slist *packed_headers; /* of a body in gzip */
	CURL *curl;
	const _Atomic uint64_t *deadline_ns; /* borrowed from the batch */
	unsigned tries;			     /* that failed, of the newest batch */
	uint64_t warned_ns;		     /* 0: the receiver answers */
	size_t answer_length;
	uint8_t answer[ANSWER_MAX];
	char error[CURL_ERROR_SIZE];
};

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	struct otlp_client *client = context;
	size_t length = size * count, room = ANSWER_MAX - client->answer_length;

	memcpy(client->answer + client->answer_length, bytes, length < room ? length : room);
	client->answer_length += length < room ? length : room;
	return length;
}

/* libcurl asks once a second at least. */
static int is_time_over(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
			curl_off_t up)
{
	const struct otlp_client *client = context;

	(void)down_total, (void)down, (void)up_total, (void)up;
	return monotonic_ns() >= atomic_load_explicit(client->deadline_ns, memory_order_acquire);
}

static bool add_header(struct curl_slist **headers, const char *header)
{
	struct curl_slist *list = curl_slist_append(*headers, header);

	if (list)
		*headers = list;
	return list != NULL;
}

static bool add_headers(struct otlp_client *client, struct curl_slist **headers)
{
	bool is_added = add_header(headers, "Content-Type: application/x-protobuf") &&
			add_header(headers, "Expect:"); /* a body is sent without asking first */

	for (size_t i = 0; i < client->settings.header_count; i++)
		is_added = is_added && add_header(headers, client->settings.headers[i]);
	return is_added;
}

static bool add_all_headers(struct otlp_client *client)
{
	return add_headers(client, &client->headers) &&
	       add_headers(client, &client->packed_headers) &&
	       add_header(&client->packed_headers, "Content-Encoding: gzip");
}

/* A NULL leaves libcurl's default. */
static bool set_text(CURL *curl, CURLoption option, const char *text)
{
	return !text || curl_easy_setopt(curl, option, text) == CURLE_OK;
}

static bool set_options(struct otlp_client *client)
{
	const struct otlp_settings *settings = &client->settings;
	CURL *curl = client->curl;

	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER,
			       client->error); /* only stored, like these */
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0l);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_time_over);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, client);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)settings->timeout_ms);
	return set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https") &&
	       set_text(curl, CURLOPT_USERAGENT, SPAN_SCOPE) &&
	       set_text(curl, CURLOPT_URL, settings->url) &&
	       set_text(curl, CURLOPT_CAINFO, settings->certificate) &&
	       set_text(curl, CURLOPT_SSLCERT, settings->client_certificate) &&
	       set_text(curl, CURLOPT_SSLKEY, settings->client_key);
}

void otlp_client_free(struct otlp_client **client)
{
	struct otlp_client *mine = *client;

	*client = NULL;
	if (!mine)
		return;
	curl_easy_cleanup(mine->curl);
	curl_slist_free_all(mine->headers);
	curl_slist_free_all(mine->packed_headers);
	otlp_settings_done(&mine->settings);
	free(mine);
}

int otlp_client_new(struct otlp_settings *settings, struct otlp_client **ret_client)
{
	struct otlp_client *client = NULL;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->settings = *settings;
	client->curl = curl_easy_init();
	if (!client->curl || !add_all_headers(client) || !set_options(client)) {
		int error = client->curl ? -EINVAL : -ENOMEM;

		client->settings = (struct otlp_settings){ 0 };
		otlp_client_free(&client);
		return error;
	}
	*settings = (struct otlp_settings){ 0 };
	*ret_client = client;
	return 0;
}

void otlp_client_pack(const struct otlp_client *client, struct text_buffer *body)
{
	struct text_buffer packed = { 0 };

	if (!client->settings.is_gzip)
		return;
	if (gzip_compress(body, &packed) == 0) {
		struct text_buffer plain = *body;

		*body = packed;
		packed = plain;
	}
	text_buffer_done(&packed);
}

/* A batch of an earlier process may be packed when ours are not. A message never begins like that: it would be a field with
 * number 3. Source: RFC 1952 section 2.3.1 */
static bool is_packed(const struct delivery_body *body)
{
	return body->length > 2 && memcmp(body->bytes, "\x1f\x8b", 2) == 0;
}

/* Returns the HTTP status; 0: there was no answer, and client->error says why. */
static long perform(struct otlp_client *client, const struct delivery_body *body,
		    curl_off_t *ret_after_s)
{
	long status = 0;
	CURLcode code;

	client->answer_length = 0;
	client->error[0] = '\0';
	*ret_after_s = 0;
	(void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS,
			       body->bytes); /* as those that follow */
	(void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER,
			       is_packed(body) ? client->packed_headers : client->headers);
	code = curl_easy_perform(client->curl);
	if (code != CURLE_OK) {
		if (!client->error[0])
			snprintf(client->error, sizeof(client->error), "%s",
				 curl_easy_strerror(code));
		return 0;
	}
	(void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE,
				&status); /* 0 when it fails */
	(void)curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, ret_after_s);
	snprintf(client->error, sizeof(client->error), "HTTP status %ld", status);
	return status;
}

static void tell_failure(struct otlp_client *client, const char *consequence)
{
	uint64_t now = monotonic_ns();

	if (client->warned_ns && now - client->warned_ns < WARN_INTERVAL_NS)
		return;
	client->warned_ns = now;
	log_warn("%s to %s: %s; %s", client->settings.what, client->settings.shown_url,
		 client->error, consequence);
}

static void tell_recovery(struct otlp_client *client)
{
	if (client->warned_ns)
		log_info("%s to %s: delivered again", client->settings.what,
			 client->settings.shown_url);
	client->warned_ns = 0;
}

static void read_answer(struct otlp_client *client, size_t count, struct delivery_outcome *outcome)
{
	char why[OTLP_WHY_MAX];

	outcome->dropped = otlp_read_rejected(client->answer, client->answer_length, count, why);
	outcome->reason = SPAN_DROP_PARTIAL_SUCCESS;
	if (!outcome->dropped) {
		tell_recovery(client);
		return;
	}
	snprintf(client->error, sizeof(client->error), "%zu of %zu rejected: %s", outcome->dropped,
		 count, why);
	tell_failure(client, "they are lost");
}

static void try_later(struct otlp_client *client, uint64_t after_s,
		      struct delivery_outcome *outcome)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random),
			 GRND_NONBLOCK); /* without it all wait the least */
	outcome->wait_ms = retry_wait_ms(++client->tries, after_s, random);
	tell_failure(client, "trying again");
}

void otlp_client_send(struct otlp_client *client, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome)
{
	struct delivery_outcome outcome = { .is_settled = true };
	curl_off_t after_s;
	long status;

	client->deadline_ns = body->deadline_ns;
	if (!body->is_again)
		client->tries = 0;
	status = perform(client, body, &after_s);
	switch (retry_judge(status)) {
	case RETRY_DELIVERED:
		read_answer(client, body->count, &outcome);
		break;
	case RETRY_REFUSED:
		outcome.dropped = body->count;
		outcome.reason = SPAN_DROP_REJECTED;
		tell_failure(client, "they are lost");
		break;
	case RETRY_AGAIN:
		outcome.is_settled = false;
		try_later(client, (uint64_t)after_s, &outcome);
		break;
	}
	*ret_outcome = outcome;
}
