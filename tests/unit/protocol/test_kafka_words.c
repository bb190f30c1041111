/* SPDX-License-Identifier: Apache-2.0 */
/* APIs stand where their number says, and what is written down of their messages can be read to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/kafka_state.h"
#include "protocol/kafka_words.h"

static void finds_apis_by_number(void **state)
{
	static const struct {
		uint16_t key;
		const char *name;
	} apis[] = {
		{ 0, "Produce" },
		{ 1, "Fetch" },
		{ 7, "ControlledShutdown" },
		{ 11, "JoinGroup" },
		{ 17, "SaslHandshake" },
		{ 18, "ApiVersions" },
		{ 22, "InitProducerId" },
		{ 36, "SaslAuthenticate" },
		{ 47, "OffsetDelete" },
		{ 58, "Envelope" },
		{ 68, "ConsumerGroupHeartbeat" },
		{ 75, "DescribeTopicPartitions" },
		{ 78, "ShareFetch" },
		{ 88, "StreamsGroupHeartbeat" },
		{ 92, "DeleteShareGroupOffsets" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++)
		assert_string_equal(kafka_api_find(apis[i].key)->name, apis[i].name);
	assert_null(kafka_api_find(93)->name);
	assert_null(kafka_api_find(UINT16_MAX)->name);
}

static void names_errors(void **state)
{
	(void)state;
	assert_string_equal(kafka_error_name(-1), "UNKNOWN_SERVER_ERROR");
	assert_string_equal(kafka_error_name(1), "OFFSET_OUT_OF_RANGE");
	assert_string_equal(kafka_error_name(72), "LISTENER_NOT_FOUND");
	assert_string_equal(kafka_error_name(133), "SHARE_SESSION_LIMIT_REACHED");
	assert_string_equal(kafka_error_name(134), "_OTHER");
	assert_string_equal(kafka_error_name(0), "_OTHER");
	assert_string_equal(kafka_error_name(-2), "_OTHER");
}

/* Whether a version has anything between the beginning of an element and its end: else a message of a few bytes could keep the reader
 * busy for as many rounds as it likes. */
static bool takes_bytes(const struct kafka_field *fields, size_t array, unsigned version)
{
	for (size_t at = array + 1;; at++) {
		if (fields[at].kind == FIELD_ARRAY_END)
			return false;
		if (fields[at].kind != FIELD_TAGS && fields[at].from <= version &&
		    version <= fields[at].until)
			return true;
	}
}

static void check_fields(const struct kafka_api *api, const struct kafka_field *fields)
{
	size_t depth = 0, at;

	for (at = 0; fields[at].kind != FIELD_END; at++) {
		assert_true(at < UINT8_MAX);
		if (fields[at].kind == FIELD_ARRAY)
			assert_true(++depth <= KAFKA_LOOPS_MAX);
		if (fields[at].kind == FIELD_ARRAY_END)
			assert_true(depth-- > 0);
		for (unsigned version = 0; version <= api->newest; version++)
			if (fields[at].kind == FIELD_ARRAY && fields[at].from <= version &&
			    version <= fields[at].until)
				assert_true(takes_bytes(fields, at, version));
	}
}

static void has_fields_that_end(void **state)
{
	(void)state;
	for (uint16_t key = 0; kafka_api_find(key)->name; key++) {
		const struct kafka_api *api = kafka_api_find(key);

		if (api->request)
			check_fields(api, api->request);
		if (api->answer)
			check_fields(api, api->answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_apis_by_number),
		cmocka_unit_test(names_errors),
		cmocka_unit_test(has_fields_that_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
