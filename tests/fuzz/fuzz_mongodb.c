/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of a connection through the MongoDB parser; input as both_ways.h says. */
#include "both_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	both_ways(&protocol_mongodb, data, size);
	return 0;
}
