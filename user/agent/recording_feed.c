/* SPDX-License-Identifier: Apache-2.0 */
/* One recorder a client, each into its own bounded queue. */
#include "agent/recording_feed.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ring/recorder.h"

void recording_feed_init(struct recording_feed *feed, const struct bpf_settings *settings,
			 struct process_table *processes)
{
	*feed = (struct recording_feed){ .settings = *settings, .processes = processes };
}

static int push(void *context, const void *bytes, size_t length)
{
	return control_stream_push(context, bytes, length);
}

struct opening {
	struct recorder *recorder;
	int error;
};

/* What we know, not what /proc says now: a program may have overwritten its environment. */
static int append_process(void *context, struct process *process)
{
	_Alignas(8) char event[PROCESS_EVENT_MAX];
	struct opening *opening = context;

	opening->error = recorder_append(opening->recorder, event,
					 process_describe(process, monotonic_ns(), event));
	return opening->error;
}

int recording_feed_started(struct recording_feed *feed, struct control_stream *stream)
{
	const struct recorder_output output = { stream, push };
	_cleanup_free_ struct recorder *recorder = NULL;
	struct recorder **slot = feed->recorders;
	struct recording_header header;
	int error;

	while (slot < feed->recorders + RECORDING_FEED_MAX && *slot)
		slot++;
	if (slot == feed->recorders + RECORDING_FEED_MAX)
		return -EBUSY;
	recorder = malloc(sizeof(*recorder));
	if (!recorder)
		return -ENOMEM;
	recording_header_make(&feed->settings, clock_ns(CLOCK_REALTIME), monotonic_ns(), &header);
	error = recorder_start(recorder, &output, &header);
	if (!error) {
		struct opening opening = { .recorder = recorder };

		process_table_each(feed->processes, append_process, &opening);
		error = opening.error;
	}
	if (error)
		return error;
	control_stream_set_data(stream, recorder);
	*slot = TAKE_PTR(recorder);
	feed->recorder_count++;
	return 0;
}

void recording_feed_finishing(struct recording_feed *feed, struct control_stream *stream)
{
	(void)feed;
	(void)recorder_finish(
		control_stream_data(stream)); /* no room: the client lags too far to be told */
}

void recording_feed_ended(struct recording_feed *feed, struct control_stream *stream)
{
	struct recorder *recorder = control_stream_data(stream);

	for (size_t i = 0; i < RECORDING_FEED_MAX; i++)
		if (feed->recorders[i] == recorder) {
			feed->recorders[i] = NULL;
			feed->recorder_count--;
		}
	feed->dropped += recorder->dropped;
	free(recorder);
}

void recording_feed_send(struct recording_feed *feed, const void *bytes, size_t length)
{
	for (size_t i = 0; i < RECORDING_FEED_MAX; i++)
		if (feed->recorders[i])
			(void)recorder_append(feed->recorders[i], bytes,
					      length); /* a broken stream ends by itself */
}

uint64_t recording_feed_dropped(const struct recording_feed *feed)
{
	uint64_t dropped = feed->dropped;

	for (size_t i = 0; i < RECORDING_FEED_MAX; i++)
		if (feed->recorders[i])
			dropped += feed->recorders[i]->dropped;
	return dropped;
}
