/* SPDX-License-Identifier: Apache-2.0 */
/* What is in flight, in order, however it is taken out; names and consumers up to their bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "protocol/amqp_ledger.h"

static struct amqp_text text_of(const char *text)
{
	return (struct amqp_text){ (const uint8_t *)text, (uint8_t)strlen(text) };
}

static bool add(struct amqp_ledger *ledger, uint64_t tag)
{
	struct amqp_entry *entry = amqp_entry_add(ledger, AMQP_ENTRY_PUBLISHED, 1);

	if (entry)
		entry->tag = tag;
	return entry;
}

static struct amqp_entry *find(const struct amqp_ledger *ledger, uint64_t tag)
{
	struct amqp_entry *entry = amqp_entry_oldest(ledger);

	while (entry && entry->tag != tag)
		entry = amqp_entry_next(ledger, entry);
	return entry;
}

static void keeps_entries_in_order(void **state)
{
	struct amqp_ledger ledger = { 0 };
	uint64_t tag = 0;

	(void)state;
	for (size_t i = 1; i <= 100; i++)
		assert_true(add(&ledger, i));
	for (uint64_t i = 3; i <= 100; i++)
		if (i % 3)
			amqp_entry_remove(&ledger, find(&ledger, i));
	for (uint64_t i = 101; i <= 400; i++) { /* the first ones stay */
		assert_true(add(&ledger, i));
		amqp_entry_remove(&ledger, find(&ledger, i));
	}
	assert_int_equal(ledger.live, 2 + 33);
	assert_true(ledger.room <= 256);
	for (const struct amqp_entry *entry = amqp_entry_oldest(&ledger); entry;
	     entry = amqp_entry_next(&ledger, entry)) {
		assert_true(entry->tag > tag && entry->tag <= 100);
		tag = entry->tag;
	}
	amqp_ledger_done(&ledger);
}

static void is_bounded(void **state)
{
	struct amqp_ledger ledger = { 0 };

	(void)state;
	for (size_t i = 1; i <= AMQP_IN_FLIGHT_MAX; i++)
		assert_true(add(&ledger, i));
	assert_false(add(&ledger, 1));
	find(&ledger, 7)->is_doubtful = true;
	assert_true(add(&ledger, 9999));
	assert_null(find(&ledger, 7));
	amqp_entry_remove(&ledger, find(&ledger, 1000));
	assert_true(add(&ledger, 10000));
	assert_true(ledger.room <= 2 * AMQP_IN_FLIGHT_MAX);
	assert_null(amqp_channel_get(&ledger, AMQP_CHANNELS_MAX));
	assert_non_null(amqp_channel_get(&ledger, AMQP_CHANNELS_MAX - 1));
	amqp_ledger_done(&ledger);
}

static void names_are_bounded(void **state)
{
	struct amqp_ledger ledger = { 0 };
	char long_name[201], name[16];
	struct amqp_text text;

	(void)state;
	memset(long_name, 'n', 200);
	long_name[200] = '\0';
	long_name[0] = '\n';
	text = text_of(long_name);
	assert_int_equal(strlen(amqp_name_text(&ledger, amqp_name_number(&ledger, &text))),
			 AMQP_NAME_BYTES_MAX);
	assert_int_equal(*amqp_name_text(&ledger, 1), '?');
	for (size_t i = 1; i < AMQP_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "q%zu", i);
		text = text_of(name);
		assert_string_equal(amqp_name_text(&ledger, amqp_name_number(&ledger, &text)),
				    name);
	}
	text = text_of("more");
	assert_string_equal(amqp_name_text(&ledger, amqp_name_number(&ledger, &text)), "other");
	text = text_of("q9");
	assert_string_equal(amqp_name_text(&ledger, amqp_name_number(&ledger, &text)), "q9");
	text = text_of("amq.gen-6WwPuQ");
	assert_string_equal(amqp_name_text(&ledger, amqp_name_number(&ledger, &text)),
			    "(anonymous)");
	text = text_of("");
	assert_null(amqp_name_text(&ledger, amqp_name_number(&ledger, &text)));
	amqp_ledger_done(&ledger);
}

static void consumers_are_bounded(void **state)
{
	struct amqp_ledger ledger = { 0 };

	(void)state;
	for (uint64_t tag = 1; tag <= AMQP_CONSUMERS_MAX + 1; tag++)
		amqp_consumer_put(&ledger, tag, (uint16_t)tag, tag & 1);
	assert_null(amqp_consumer_find(&ledger, AMQP_CONSUMERS_MAX + 1));
	amqp_consumer_remove(&ledger, 1);
	amqp_consumer_remove(&ledger, 1);
	assert_null(amqp_consumer_find(&ledger, 1));
	assert_int_equal(amqp_consumer_find(&ledger, AMQP_CONSUMERS_MAX)->queue,
			 AMQP_CONSUMERS_MAX);
	amqp_consumer_put(&ledger, 2, 77, true);
	assert_int_equal(amqp_consumer_find(&ledger, 2)->queue, 77);
	assert_int_equal(ledger.consumer_count, AMQP_CONSUMERS_MAX - 1);
	amqp_ledger_done(&ledger);
}

static void without_memory(void **state)
{
	struct amqp_text name = text_of("n");

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct amqp_ledger ledger = { 0 };

		(void)add(&ledger, 1);
		(void)amqp_channel_get(&ledger, 9);
		amqp_consumer_put(&ledger, 1, 1, true);
		assert_non_null(amqp_name_text(&ledger, amqp_name_number(&ledger, &name)));
		amqp_ledger_done(&ledger);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_entries_in_order), cmocka_unit_test(is_bounded),
		cmocka_unit_test(names_are_bounded),	  cmocka_unit_test(consumers_are_bounded),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
