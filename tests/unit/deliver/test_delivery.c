/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "deliver/delivery.h"
#include "protocol/protocol.h"
#include "spool_folder.h"

/* A receiver that answers as it is told, one batch at a time. */
struct receiver {
	pthread_mutex_t lock; /* guards all that follows */
	pthread_cond_t changed;
	unsigned answers; /* that it may give */
	struct delivery_outcome answer;
	size_t batches;
	size_t spans;
	size_t repeated;
	bool is_busy;
	bool was_closed;
};

static int encode(void *context, struct span_record *const *records, size_t count,
		  struct text_buffer *ret_body)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(records[i]->texts, "shop");
		text_append_string(ret_body, records[i]->texts);
	}
	return text_buffer_error(ret_body);
}

static void take(void *context, const struct delivery_body *body,
		 struct delivery_outcome *ret_outcome)
{
	struct receiver *receiver = context;

	pthread_mutex_lock(&receiver->lock);
	assert_false(receiver->is_busy);
	receiver->is_busy = true;
	receiver->batches++;
	receiver->spans += body->count;
	receiver->repeated += body->is_again;
	assert_int_equal(body->length, body->count * strlen("shop"));
	pthread_cond_broadcast(&receiver->changed);
	while (!receiver->answers)
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	receiver->answers--;
	receiver->is_busy = false;
	*ret_outcome = receiver->answer;
	pthread_mutex_unlock(&receiver->lock);
}

static void closed(void *context)
{
	((struct receiver *)context)->was_closed = true;
}

static const struct delivery_route route = { "test", encode, take, closed };

static void receiver_init(struct receiver *receiver)
{
	*receiver = (struct receiver){ .lock = PTHREAD_MUTEX_INITIALIZER,
				       .changed = PTHREAD_COND_INITIALIZER };
}

static void answer(struct receiver *receiver, unsigned times, struct delivery_outcome outcome)
{
	pthread_mutex_lock(&receiver->lock);
	receiver->answers = times;
	receiver->answer = outcome;
	pthread_cond_broadcast(&receiver->changed);
	pthread_mutex_unlock(&receiver->lock);
}

static void wait_for_batches(struct receiver *receiver, size_t batches)
{
	pthread_mutex_lock(&receiver->lock);
	while (receiver->batches < batches)
		pthread_cond_wait(&receiver->changed, &receiver->lock);
	pthread_mutex_unlock(&receiver->lock);
}

static void put(struct delivery *delivery, size_t count)
{
	static const struct process process = { .service = "shop", .executable = "nginx" };
	static const struct conn_tuple tuple = { .family = AF_INET };
	static const struct span_identity span = { .flags = 1 };
	const struct request request = { .protocol = &protocol_http1,
					 .process = &process,
					 .tuple = &tuple,
					 .span = &span,
					 .role = ROLE_SERVER };

	while (count--)
		delivery_put(delivery, &request);
}

static struct delivery_stats stats_of(struct delivery *delivery)
{
	struct delivery_stats stats;

	delivery_read(delivery, &stats);
	return stats;
}

static void wait_until_settled(struct delivery *delivery)
{
	while (stats_of(delivery).queued)
		;
}

static const struct delivery_outcome delivered = { .is_settled = true };

static void a_full_queue_drops_the_newest(void **state)
{
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	receiver_init(&receiver);
	assert_int_equal(delivery_start(&route, &receiver, NULL, 1000, &delivery), 0);
	put(delivery, 600);
	wait_for_batches(&receiver, 1);
	put(delivery, 600);
	stats = stats_of(delivery);
	assert_int_equal(stats.queued, 1000);
	assert_int_equal(stats.queue_limit, 1000);
	assert_int_equal(stats.dropped[SPAN_DROP_QUEUE_FULL], 200);
	assert_int_equal(stats.exported, 0);
	answer(&receiver, UINT32_MAX, delivered);
	wait_until_settled(delivery);
	stats = stats_of(delivery);
	assert_int_equal(stats.exported, 1000);
	assert_int_equal(stats.dropped[SPAN_DROP_QUEUE_FULL], 200);
	assert_int_equal(receiver.spans, 1000);
	delivery_free(&delivery);
	assert_true(receiver.was_closed);
}

static void what_is_refused_is_counted(void **state)
{
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	receiver_init(&receiver);
	assert_int_equal(delivery_start(&route, &receiver, NULL, 1000, &delivery), 0);
	answer(&receiver, UINT32_MAX,
	       (struct delivery_outcome){
		       .is_settled = true, .dropped = 3, .reason = SPAN_DROP_PARTIAL_SUCCESS });
	put(delivery, 512);
	wait_until_settled(delivery);
	stats = stats_of(delivery);
	assert_int_equal(stats.dropped[SPAN_DROP_PARTIAL_SUCCESS], 3 * receiver.batches);
	assert_int_equal(stats.exported, 512 - 3 * receiver.batches);
	delivery_free(&delivery);
}

static void a_batch_is_sent_until_it_is_settled(void **state)
{
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	receiver_init(&receiver);
	assert_int_equal(delivery_start(&route, &receiver, NULL, 1000, &delivery), 0);
	put(delivery, 512);
	answer(&receiver, 2, (struct delivery_outcome){ .wait_ms = 1 });
	wait_for_batches(&receiver, 3);
	stats = stats_of(delivery);
	assert_int_equal(stats.retries, 2);
	assert_int_equal(stats.queued, 512);
	assert_int_equal(receiver.repeated, 2);
	answer(&receiver, UINT32_MAX, delivered);
	wait_until_settled(delivery);
	assert_int_equal(stats_of(delivery).exported, 512);
	delivery_free(&delivery);
}

static void the_end_delivers_what_waits(void **state)
{
	struct receiver receiver;
	struct delivery *delivery;

	(void)state;
	receiver_init(&receiver);
	assert_int_equal(delivery_start(&route, &receiver, NULL, 1000, &delivery), 0);
	put(delivery, 5);
	answer(&receiver, UINT32_MAX, delivered);
	delivery_finish(delivery, UINT64_MAX - 1);
	delivery_free(&delivery);
	assert_int_equal(receiver.spans, 5);
	assert_true(receiver.was_closed);
}

static void the_end_comes_without_a_receiver(void **state)
{
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	receiver_init(&receiver);
	assert_int_equal(delivery_start(&route, &receiver, NULL, 1000, &delivery), 0);
	put(delivery, 512);
	wait_for_batches(&receiver, 1);
	put(delivery, 7);
	delivery_finish(delivery, 1);
	answer(&receiver, UINT32_MAX, (struct delivery_outcome){ .wait_ms = 1000000 });
	wait_until_settled(delivery);
	stats = stats_of(delivery);
	assert_int_equal(stats.dropped[SPAN_DROP_SHUTDOWN], 519);
	assert_int_equal(stats.exported, 0);
	delivery_free(&delivery);
}

static struct delivery *start_spooling(const struct spool_folder *folder, struct receiver *receiver)
{
	struct delivery *delivery = NULL;
	struct spool *spool = NULL;

	receiver_init(receiver);
	assert_int_equal(spool_open(folder->path, 1u << 20, &spool), 0);
	assert_int_equal(delivery_start(&route, receiver, spool, 2000, &delivery), 0);
	return delivery;
}

/* Returns the figures when nothing waits, in memory at least; they add up all the time. */
static struct delivery_stats balanced(struct delivery *delivery, uint64_t produced,
				      bool is_spool_awaited)
{
	struct delivery_stats stats;

	do {
		uint64_t dropped = 0;

		stats = stats_of(delivery);
		for (unsigned i = 0; i < SPAN_DROP_COUNT; i++)
			dropped += stats.dropped[i];
		assert_int_equal(produced + stats.spool.recovered,
				 stats.exported + dropped + stats.queued + stats.spool.waiting);
	} while (stats.queued || (is_spool_awaited && stats.spool.waiting));
	return stats;
}

static const struct delivery_outcome away = { .wait_ms = 1 };

static void what_is_spooled_outlives_the_delivery(void **state)
{
	struct spool_folder folder;
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	spool_folder_make(&folder);
	delivery = start_spooling(&folder, &receiver);
	answer(&receiver, UINT32_MAX, away);
	put(delivery, 512);
	stats = balanced(delivery, 512, false);
	assert_int_equal(stats.spool.waiting, 512);
	put(delivery, 1024);
	stats = balanced(delivery, 1536, false);
	assert_int_equal(stats.spool.waiting, 1536);
	assert_int_equal(stats.exported, 0);
	delivery_finish(delivery, UINT64_MAX - 1); /* does not wait for a receiver that is away */
	delivery_free(&delivery);
	assert_true(receiver.was_closed);
	delivery = start_spooling(&folder, &receiver);
	stats = balanced(delivery, 0, false);
	assert_int_equal(stats.spool.recovered, 1536);
	answer(&receiver, UINT32_MAX, delivered);
	put(delivery, 512);
	stats = balanced(delivery, 512, true);
	assert_int_equal(stats.exported, 2048);
	assert_int_equal(receiver.spans, 2048);
	delivery_free(&delivery);
	spool_folder_remove(&folder);
}

static void spooled_spans_leave_at_the_end(void **state)
{
	struct spool_folder folder;
	struct receiver receiver;
	struct delivery *delivery;
	size_t files;

	(void)state;
	spool_folder_make(&folder);
	delivery = start_spooling(&folder, &receiver);
	put(delivery, 900);
	answer(&receiver, UINT32_MAX, delivered);
	delivery_finish(delivery, UINT64_MAX - 1);
	delivery_free(&delivery);
	assert_int_equal(receiver.spans, 900);
	spool_folder_bytes(&folder, &files);
	assert_int_equal(files, 0);
	spool_folder_remove(&folder);
}

static void refused_spans_leave_the_spool(void **state)
{
	struct spool_folder folder;
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	spool_folder_make(&folder);
	delivery = start_spooling(&folder, &receiver);
	answer(&receiver, UINT32_MAX,
	       (struct delivery_outcome){
		       .is_settled = true, .dropped = 3, .reason = SPAN_DROP_PARTIAL_SUCCESS });
	put(delivery, 512);
	stats = balanced(delivery, 512, true);
	assert_int_equal(stats.dropped[SPAN_DROP_PARTIAL_SUCCESS], 3 * receiver.batches);
	assert_int_equal(stats.exported, 512 - 3 * receiver.batches);
	delivery_free(&delivery);
	spool_folder_remove(&folder);
}

/* What is spooled leaves first; then batches leave from memory, until the disk has room again. */
static void without_room_on_disk_spans_wait_in_memory(void **state)
{
	struct spool_folder folder;
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;

	(void)state;
	spool_folder_make(&folder);
	delivery = start_spooling(&folder, &receiver);
	answer(&receiver, UINT32_MAX, away);
	put(delivery, 512);
	(void)balanced(delivery, 512, false);
	answer(&receiver, 0, away);
	spool_folder_limit(100);
	put(delivery, 2200);
	do {
		stats = stats_of(delivery);
	} while (stats.spool_errors < 2);
	assert_int_equal(stats.queued, 2000);
	assert_int_equal(stats.dropped[SPAN_DROP_QUEUE_FULL], 200);
	assert_int_equal(stats.spool.waiting, 512);
	answer(&receiver, UINT32_MAX, delivered);
	stats = balanced(delivery, 2712, true);
	assert_int_equal(stats.exported, 2512);
	spool_folder_limit(SIZE_MAX);
	answer(&receiver, UINT32_MAX, away);
	put(delivery, 512);
	stats = balanced(delivery, 3224, false);
	assert_int_equal(stats.spool.waiting, 512);
	delivery_free(&delivery);
	spool_folder_remove(&folder);
}

static void a_full_spool_drops_the_oldest(void **state)
{
	struct spool_folder folder;
	struct receiver receiver;
	struct delivery *delivery;
	struct delivery_stats stats;
	uint64_t produced = 0;

	(void)state;
	spool_folder_make(&folder);
	delivery = start_spooling(&folder, &receiver);
	answer(&receiver, UINT32_MAX, away);
	do {
		put(delivery, 512);
		produced += 512;
		stats = balanced(delivery, produced, false);
	} while (stats.dropped[SPAN_DROP_SPOOL_FULL] < 5000);
	answer(&receiver, UINT32_MAX, delivered);
	stats = balanced(delivery, produced, true);
	assert_int_equal(stats.exported + stats.dropped[SPAN_DROP_SPOOL_FULL], produced);
	delivery_free(&delivery);
	spool_folder_remove(&folder);
}

static void reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(span_drop_name(SPAN_DROP_QUEUE_FULL), "queue_full");
	assert_string_equal(span_drop_name(SPAN_DROP_SHUTDOWN), "shutdown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_drops_the_newest),
		cmocka_unit_test(what_is_refused_is_counted),
		cmocka_unit_test(a_batch_is_sent_until_it_is_settled),
		cmocka_unit_test(the_end_delivers_what_waits),
		cmocka_unit_test(the_end_comes_without_a_receiver),
		cmocka_unit_test(what_is_spooled_outlives_the_delivery),
		cmocka_unit_test(spooled_spans_leave_at_the_end),
		cmocka_unit_test(refused_spans_leave_the_spool),
		cmocka_unit_test(without_room_on_disk_spans_wait_in_memory),
		cmocka_unit_test(a_full_spool_drops_the_oldest),
		cmocka_unit_test(reasons_have_names),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
