/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the spool, as they may come back from a disk: every byte is in one record or one damaged stretch, and a whole batch
 * behind whatever bytes is found. */
#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/spool_record.h"

#define BODY "a batch"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* As the record's own head has it: then other batches may stand in its body. */
static bool is_end_said(const uint8_t *bytes, const struct spool_record *record)
{
	uint32_t length;

	if (record->end - record->start < SPOOL_HEAD_BYTES)
		return false;
	memcpy(&length, bytes + record->start + 4, sizeof(length));
	return le32toh(length) == record->end - record->start - SPOOL_HEAD_BYTES;
}

/* Returns whether the batch that starts there is found. */
static bool read_all(const uint8_t *bytes, size_t length, size_t batch)
{
	struct spool_record record;
	size_t position = 0;
	bool is_found = false;

	while (spool_record_next(bytes, length, position, &record)) {
		assert(record.start == position);
		assert(record.end > position && record.end <= length);
		assert(!record.is_whole || is_end_said(bytes, &record));
		position = record.end;
		is_found = is_found || (record.start <= batch && batch < record.end &&
					is_end_said(bytes, &record));
	}
	assert(position == length);
	return is_found;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	size_t all = length + SPOOL_HEAD_BYTES + strlen(BODY);
	uint8_t *file = malloc(all); /* its end is the end of the allocation */

	memcpy(file, bytes, length);
	(void)spool_head_write(BODY, strlen(BODY), 1, file + length); /* it is not too long */
	memcpy(file + length + SPOOL_HEAD_BYTES, BODY, strlen(BODY));
	assert(read_all(file, all, length));
	free(file);
	file = malloc(length ? length : 1);
	memcpy(file, bytes, length);
	(void)read_all(file, length, 0);
	free(file);
	return 0;
}
