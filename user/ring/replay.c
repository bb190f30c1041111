/* SPDX-License-Identifier: Apache-2.0 */
/* One record after the other; a file that was cut short is good up to there. */
#include "ring/replay.h"

#include <errno.h>
#include <string.h>

/* Read on until `want` bytes are there. Returns the bytes there are, or negative errno. */
static int fill(FILE *file, char *buffer, size_t have, size_t want)
{
	size_t got = fread(buffer + have, 1, want - have, file);

	if (got < want - have && ferror(file))
		return errno ? -errno : -EIO;
	return (int)(have + got);
}

static int read_header(FILE *file, struct replay_result *result)
{
	struct recording_header header;
	int have = fill(file, (char *)&header, 0, sizeof(header));

	if (have < 0)
		return have;
	result->fault = recording_header_fault(&header, (size_t)have);
	if (result->fault)
		return -EBADMSG;
	result->header = header;
	result->offset = sizeof(header);
	return 0;
}

/* Returns 0 with a record, -ENODATA at the end, negative errno. */
static int read_record(FILE *file, char *buffer, struct recording_view *ret_view,
		       const char **ret_fault)
{
	struct recording_view view = { .record_bytes = sizeof(struct recording_record) };
	int have = 0, error;

	do {
		have = fill(file, buffer, (size_t)have, view.record_bytes);
		if (have <= 0)
			return have < 0 ? have : -ENODATA;
		if ((size_t)have < view.record_bytes) {
			*ret_fault = "the file ends inside a record";
			return -EBADMSG;
		}
		error = recording_record_read(buffer, (size_t)have, &view);
	} while (error == -EAGAIN);
	if (error)
		*ret_fault = "damaged record";
	*ret_view = view;
	return error;
}

int replay_stream(FILE *file, replay_visit visit, void *context, struct replay_result *ret_result)
{
	_Alignas(8) char buffer[RECORDING_RECORD_MAX];
	struct replay_result result = { 0 };
	struct recording_view view;
	int error = read_header(file, &result);

	while (!error) {
		error = read_record(file, buffer, &view, &result.fault);
		if (error)
			break;
		result.offset += view.record_bytes;
		result.dropped += view.dropped;
		if (view.dropped)
			continue;
		result.events++;
		error = visit(context, view.event, view.length);
	}
	*ret_result = result;
	return error == -ENODATA ? 0 : error;
}
