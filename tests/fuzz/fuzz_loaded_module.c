/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a process through the search for its thread-local, and for Go's. Input: the address of the bytes (8 bytes), flags (bit 0:
 * the executable, bit 1: musl), seven bytes for nothing, then what is there. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "published/goroutine_place.h"
#include "published/thread_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct image {
	const uint8_t *bytes;
	uint64_t start;
	uint64_t size;
};

static int read_image(void *context, uint64_t at, void *ret_bytes, size_t size)
{
	const struct image *image = context;

	if (at < image->start || at - image->start > image->size ||
	    image->size - (at - image->start) < size)
		return -EFAULT;
	memcpy(ret_bytes, image->bytes + (at - image->start), size);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = { .size = 0 };
	struct memory memory = { read_image, &image };
	struct thread_place place = { 0 };

	if (size < 16)
		return 0;
	image.bytes = data + 16;
	image.size = size - 16;
	memcpy(&image.start, data, sizeof(image.start));
	if (!thread_place_read(&memory, image.start, data[8] & 1, data[8] & 2, &place) &&
	    (!place.kind || place.kind >= THREAD_PLACE_KIND_COUNT ||
	     place.module > THREAD_MODULE_MAX))
		abort();
	if (!goroutine_place_read(&memory, image.start, &place) &&
	    place.kind != THREAD_PLACE_GOROUTINE)
		abort();
	return 0;
}
