/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a recording: read as a file, and record by record out of a socket's buffer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

struct seen {
	uint64_t events;
	uint64_t sum;
};

static int visit(void *context, const void *bytes, size_t length)
{
	struct seen *seen = context;
	const uint8_t *at = bytes;

	if ((uintptr_t)bytes % 8 || length < sizeof(struct event_header))
		abort();
	for (size_t i = 0; i < length; i++)
		seen->sum += at[i];
	seen->events++;
	return 0;
}

static void read_stream(const uint8_t *bytes, size_t length, struct seen *seen,
			struct replay_result *ret_result)
{
	FILE *file = fmemopen((void *)bytes, length, "r");

	if (!file)
		abort();
	(void)replay_stream(file, visit, seen, ret_result);
	fclose(file);
}

/* Records as long as the input is good; the buffer has no byte to spare. */
static uint64_t read_records(const uint8_t *bytes, size_t length)
{
	struct recording_view view;
	uint64_t events = 0;

	while (recording_record_read(bytes, length, &view) == 0) {
		if (view.record_bytes > length || view.length > view.record_bytes)
			abort();
		events += !view.dropped;
		bytes += view.record_bytes;
		length -= view.record_bytes;
	}
	return events;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct seen seen = { 0 };
	struct replay_result result;

	if (!length)
		return 0;
	read_stream(bytes, length, &seen, &result);
	if (result.events != seen.events || result.offset > length)
		abort();
	if (!recording_header_fault(bytes, length) &&
	    read_records(bytes + sizeof(struct recording_header),
			 length - sizeof(struct recording_header)) != seen.events)
		abort();
	(void)read_records(bytes, length);
	return 0;
}
