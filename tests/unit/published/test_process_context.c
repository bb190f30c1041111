/* SPDX-License-Identifier: Apache-2.0 */
/* What a process says of itself: whole, cut at every length, being changed, and of another version. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "published/process_context.h"

/* resource { attributes { key: "service.name" value { string_value: "shop" } } } */
static const uint8_t payload[] = "\x0a\x18\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop";
#define PAYLOAD_BYTES (sizeof(payload) - 1)

#define HEADER_AT 0x1000
#define PAYLOAD_AT 0x2000

static struct fake {
	struct {
		char signature[8];
		uint32_t version;
		uint32_t bytes;
		uint64_t published_ns;
		uint64_t payload;
	} header;
	unsigned changes; /* so often the time changes behind a read of the payload */
} fake;

static int read_fake(void *context, uint64_t at, void *ret_bytes, size_t size)
{
	assert_ptr_equal(context, &fake);
	if (at == HEADER_AT && size == sizeof(fake.header)) {
		memcpy(ret_bytes, &fake.header, size);
		return 0;
	}
	if (at != PAYLOAD_AT || size > PAYLOAD_BYTES)
		return -EFAULT;
	memcpy(ret_bytes, payload, size);
	if (fake.changes) {
		fake.changes--;
		fake.header.published_ns++;
	}
	return 0;
}

static const struct memory memory = { read_fake, &fake };

static int setup(void **state)
{
	(void)state;
	fake = (struct fake){ .header = { "OTEL_CTX", 2, PAYLOAD_BYTES, 7, PAYLOAD_AT } };
	return 0;
}

static void whole(void **state)
{
	struct process_context context;

	(void)state;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), 0);
	assert_string_equal(context.service, "shop");
	fake.header.version = 1;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), 0);
}

static void being_changed(void **state)
{
	struct process_context context;

	(void)state;
	fake.changes = 2;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), 0);
	fake.changes = 3;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -EAGAIN);
	fake.header.published_ns = 0;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -EAGAIN);
}

static void refused(void **state)
{
	struct process_context context;

	(void)state;
	fake.header.version = 3;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -ENOTSUP);
	fake.header.version = 2;
	fake.header.bytes = 65537;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -EBADMSG);
	fake.header.bytes = PAYLOAD_BYTES + 1;
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -EFAULT);
	fake.header.signature[0] = 'o';
	assert_int_equal(process_context_read(&memory, HEADER_AT, &context), -EBADMSG);
	assert_int_equal(process_context_read(&memory, HEADER_AT + 1, &context), -EFAULT);
}

static void cut(void **state)
{
	struct process_context context;

	(void)state;
	for (size_t bytes = 1; bytes < PAYLOAD_BYTES; bytes++)
		assert_int_equal(process_context_parse(payload, bytes, &context), -EBADMSG);
	assert_int_equal(process_context_parse(payload, 0, &context), 0);
	assert_string_equal(context.service, "");
}

static void of_another_kind(void **state)
{
	uint8_t other[PAYLOAD_BYTES];
	struct process_context context;

	(void)state;
	memcpy(other, payload, sizeof(other));
	other[PAYLOAD_BYTES - 6] = 0x12; /* a value of a kind that we do not know */
	assert_int_equal(process_context_parse(other, sizeof(other), &context), 0);
	assert_string_equal(context.service, "");
}

static void allocations_fail(void **state)
{
	struct process_context context;

	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		int error = process_context_read(&memory, HEADER_AT, &context);

		assert_true(!error || error == -ENOMEM || error == -EBADMSG);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(whole), TEST(being_changed),   TEST(refused),
		TEST(cut),   TEST(of_another_kind), TEST(allocations_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
