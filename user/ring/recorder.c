/* SPDX-License-Identifier: Apache-2.0 */
/* Events to records; gaps are told before the next record that finds room. */
#include "ring/recorder.h"

#include <errno.h>

static int write_record(const struct recorder *recorder, const void *event, size_t length)
{
	_Alignas(8) char buffer[RECORDING_RECORD_MAX];
	int bytes = recording_record_make(event, length, buffer);

	if (bytes < 0)
		return bytes;
	return recorder->output.write(recorder->output.context, buffer, (size_t)bytes);
}

int recorder_start(struct recorder *recorder, const struct recorder_output *output,
		   const struct recording_header *header)
{
	*recorder = (struct recorder){ .output = *output };
	return output->write(output->context, header, sizeof(*header));
}

int recorder_finish(struct recorder *recorder)
{
	struct recording_gap gap = {
		.header = { .size = sizeof(gap) },
		.dropped = recorder->dropped_unsaid,
	};
	int error;

	if (!gap.dropped)
		return 0;
	error = write_record(recorder, &gap, sizeof(gap));
	if (!error)
		recorder->dropped_unsaid = 0;
	return error;
}

int recorder_append(struct recorder *recorder, const void *event, size_t length)
{
	int error = recorder_finish(recorder);

	if (!error)
		error = write_record(recorder, event, length);
	if (!error)
		recorder->recorded++;
	if (error != -ENOBUFS)
		return error;
	recorder->dropped++;
	recorder->dropped_unsaid++;
	return 0;
}
