/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/spool_record.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <zlib.h>

#define MAGIC "sPl1"

const uint8_t spool_mark_sent[SPOOL_MARK_BYTES] = { 's', 'e', 'n', 't' };

struct head {
	char magic[4];
	uint32_t length; /* of the body */
	uint32_t spans;
	uint32_t body_sum; /* CRC-32, as zlib has it */
	uint32_t head_sum; /* of all before it */
	uint8_t mark[SPOOL_MARK_BYTES];
};

_Static_assert(sizeof(struct head) == SPOOL_HEAD_BYTES, "no padding");
_Static_assert(offsetof(struct head, mark) == SPOOL_MARK_OFFSET,
	       "the mark is behind what is summed");

static uint32_t sum_of(const void *bytes, size_t length)
{
	return (uint32_t)crc32_z(0, bytes, length);
}

int spool_head_write(const void *body, size_t length, uint64_t spans,
		     uint8_t ret_head[SPOOL_HEAD_BYTES])
{
	struct head head = { MAGIC,
			     htole32((uint32_t)length),
			     htole32((uint32_t)spans),
			     htole32(sum_of(body, length)),
			     0,
			     { 0 } };

	if (length > UINT32_MAX || spans > UINT32_MAX)
		return -EMSGSIZE;
	head.head_sum = htole32(sum_of(&head, offsetof(struct head, head_sum)));
	memcpy(ret_head, &head, sizeof(head));
	return 0;
}

/* Whether there is a head, of a record that ends within the bytes or not. */
static bool read_head(const uint8_t *bytes, size_t length, size_t position, struct head *ret_head)
{
	struct head head;

	if (length - position < sizeof(head))
		return false;
	memcpy(&head, bytes + position, sizeof(head));
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 ||
	    le32toh(head.head_sum) != sum_of(&head, offsetof(struct head, head_sum)))
		return false;
	*ret_head = head;
	return true;
}

/* The first place from `position` on with a head; `length` when there is none. */
static size_t find_head(const uint8_t *bytes, size_t length, size_t position)
{
	struct head head;

	while (position < length) {
		const uint8_t *found =
			memmem(bytes + position, length - position, MAGIC, sizeof(head.magic));

		if (!found)
			return length;
		position = (size_t)(found - bytes);
		if (read_head(bytes, length, position, &head))
			return position;
		position++;
	}
	return length;
}

bool spool_record_next(const uint8_t *bytes, size_t length, size_t position,
		       struct spool_record *ret_record)
{
	struct spool_record record = { .start = position };
	struct head head;
	size_t body = position + SPOOL_HEAD_BYTES;

	if (position >= length)
		return false;
	if (!read_head(bytes, length, position, &head)) {
		record.end = find_head(bytes, length, position + 1);
		*ret_record = record;
		return true;
	}
	record.spans = le32toh(head.spans);
	record.is_sent = memcmp(head.mark, spool_mark_sent, SPOOL_MARK_BYTES) == 0;
	if (le32toh(head.length) <= length - body) {
		record.end = body + le32toh(head.length);
		record.is_whole = le32toh(head.body_sum) == sum_of(bytes + body, record.end - body);
	} else {
		record.end = find_head(bytes, length,
				       position + 1); /* its own mark may be cut off, too */
	}
	*ret_record = record;
	return true;
}
