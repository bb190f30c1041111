/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes to event_decode; what it accepts must be in bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config_abi.h"
#include "decode/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct event *event, size_t size)
{
	const uint8_t *end = (const uint8_t *)event->header + event->header->size;
	size_t sum = 0;

	if (event->header->size > size || event->payload + event->payload_bytes != end ||
	    event->header->kind >= EVENT_KIND_COUNT)
		abort();
	for (size_t i = 0; i < event->payload_bytes; i++)
		sum += event->payload[i];
	if (sum > 255 * event->payload_bytes)
		abort();
	if (event->header->kind == EVENT_TURN &&
	    (event->turn->captured > PREFIX_MAX || event->turn->captured != event->payload_bytes))
		abort();
	if (event->payload_bytes && event->header->kind != EVENT_TURN &&
	    event->header->kind != EVENT_PROCESS_EXEC)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1);
	struct event_header *header;
	struct event event;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	header = copy;
	if (size >= sizeof(*header) && header->size % 16) /* spares the fuzzer guessing */
		header->size = (uint16_t)size;
	if (event_decode(copy, size, &event) == 0)
		check(&event, size);
	free(copy);
	return 0;
}
