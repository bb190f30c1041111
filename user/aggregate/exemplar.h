/* SPDX-License-Identifier: Apache-2.0 */
/* A span as an example of the observations in a bucket. */
#ifndef SONDE_AGGREGATE_EXEMPLAR_H
#define SONDE_AGGREGATE_EXEMPLAR_H

#include <stdint.h>

#include "protocol/trace_context.h"

struct exemplar {
	uint64_t unix_ns; /* when it was over; 0: there is none */
	uint64_t value;	  /* as the histogram has it: nanoseconds or bytes */
	uint8_t trace_id[TRACE_ID_BYTES];
	uint8_t span_id[SPAN_ID_BYTES];
};

#endif
