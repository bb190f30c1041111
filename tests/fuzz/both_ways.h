/* SPDX-License-Identifier: Apache-2.0 */
/* A parser must come to the same steps and facts whether it is given runs as they are, whole messages that are known taken as
 * such, or byte by byte. */
#ifndef SONDE_TESTS_BOTH_WAYS_H
#define SONDE_TESTS_BOTH_WAYS_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

/* Input: records of a control byte (bit 0 side, bit 1 not captured, bits 2-4 a boundary instead, bits 5-7 how
 * many more follow that are not captured) and a length byte, then bytes. Aborts when something is wrong. */
void both_ways(const struct protocol *protocol, const uint8_t *data, size_t size);

#endif
