/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a recording and hands its events on, as a ring would. */
#ifndef SONDE_RING_REPLAY_H
#define SONDE_RING_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ring/recording.h"

struct replay_result {
	struct recording_header header;
	uint64_t events;
	uint64_t dropped; /* by the recorder */
	uint64_t offset;  /* of the first byte that was not understood, or of the end */
	const char
		*fault; /* static; why reading ended before the end of the file; NULL: it did not */
};

/* bytes: one event, 8-byte aligned, borrowed. Non-zero ends the replay. */
typedef int (*replay_visit)(void *context, const void *bytes, size_t length);

/* Read to the end, or to the first fault: what comes before it is handed on.
 *
 * ret_result  always written; its header is zero when that could not be read
 * Returns     0; -EBADMSG with result.fault; negative errno of reading; what visit returned */
int replay_stream(FILE *file, replay_visit visit, void *context, struct replay_result *ret_result);

#endif
