/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver answers to a batch of spans. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/otlp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint8_t *answer = malloc(length); /* its end is the end of the allocation */
	char why[OTLP_WHY_MAX];

	memcpy(answer, bytes, length);
	assert(otlp_read_rejected(answer, length, 100, why) <= 100);
	assert(strlen(why) < OTLP_WHY_MAX);
	free(answer);
	return 0;
}
