/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a recording into whatever takes bytes: a file, or a client of the control socket. What it does not take is
 * counted and said in the recording itself. */
#ifndef SONDE_RING_RECORDER_H
#define SONDE_RING_RECORDER_H

#include <stddef.h>
#include <stdint.h>

#include "ring/recording.h"

struct recorder_output {
	void *context;
	/* Take all bytes or none. Returns 0; -ENOBUFS: not now (the event is dropped); negative errno: never again */
	int (*write)(void *context, const void *bytes, size_t length);
};

struct recorder {
	struct recorder_output output;
	uint64_t recorded;
	uint64_t dropped;	 /* in all */
	uint64_t dropped_unsaid; /* of those, not yet in the recording */
};

/* Write the header. Returns 0 or what write returned. */
int recorder_start(struct recorder *recorder, const struct recorder_output *output,
		   const struct recording_header *header);

/* Write one event. Returns 0, also when it was dropped; what write returned when that is not -ENOBUFS;
 * -EMSGSIZE when the bytes are no event. */
int recorder_append(struct recorder *recorder, const void *event, size_t length);

/* Say what was dropped last. Returns 0 or what write returned. */
int recorder_finish(struct recorder *recorder);

#endif
