/* SPDX-License-Identifier: Apache-2.0 */
/* What a process publishes of itself; input: the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "published/process_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct process_context context;

	if (!process_context_parse(data, size, &context) &&
	    strnlen(context.service, sizeof(context.service)) == sizeof(context.service))
		abort();
	return 0;
}
