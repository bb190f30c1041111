/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of a connection through the Kafka parser; input as both_ways.h says. */
#include "both_ways.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	both_ways(&protocol_kafka, data, size);
	return 0;
}
