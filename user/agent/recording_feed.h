/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of `sonde record`: copies raw events to the clients that asked for them. Owner thread only. */
#ifndef SONDE_AGENT_RECORDING_FEED_H
#define SONDE_AGENT_RECORDING_FEED_H

struct recorder;

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"
#include "correlate/process.h"
#include "serve/control.h"

#define RECORDING_FEED_MAX 4 /* clients at once */

struct recording_feed {
	struct recorder *recorders[RECORDING_FEED_MAX]; /* owned */
	size_t recorder_count;
	struct bpf_settings settings;
	struct process_table *processes; /* borrowed */
	uint64_t dropped;		 /* by recorders that are gone */
};

/* processes: borrowed, must outlive the feed. */
void recording_feed_init(struct recording_feed *feed, const struct bpf_settings *settings,
			 struct process_table *processes);

/* For struct control_stream_kind; name the stream RECORDING_STREAM. A new recording begins with the processes that
 * run, so that a replay knows them. started returns 0, -EBUSY or negative errno. */
#define RECORDING_STREAM "record"
int recording_feed_started(struct recording_feed *feed, struct control_stream *stream);
void recording_feed_finishing(struct recording_feed *feed, struct control_stream *stream);
void recording_feed_ended(struct recording_feed *feed, struct control_stream *stream);

/* For those who record. bytes: one event as the rings gave it, or as user space made it. */
void recording_feed_send(struct recording_feed *feed, const void *bytes, size_t length);

static inline void recording_feed_append(struct recording_feed *feed, const void *bytes,
					 size_t length)
{
	if (feed->recorder_count)
		recording_feed_send(feed, bytes, length);
}

/* Events that recordings lack because their clients lagged. */
uint64_t recording_feed_dropped(const struct recording_feed *feed);

#endif
