/* SPDX-License-Identifier: Apache-2.0 */
/* The formats that /metrics and `sonde replay` write: a row each. */
#ifndef SONDE_EXPORT_EXPORTER_TABLE_H
#define SONDE_EXPORT_EXPORTER_TABLE_H

#include "aggregate/snapshot.h"
#include "export/text_buffer.h"

struct exporter {
	const char *name; /* for the command line and for labels */
	const char *media_type;
	const char *parameters; /* of the media type, those that a client may insist on */
	const char *content_type;
	int (*render)(const struct snapshot *snapshot,
		      struct text_buffer *buffer); /* 0 or -ENOMEM */
};

enum exporter_id {
	EXPORTER_PROMETHEUS, /* first: what is sent when nothing else is preferred */
	EXPORTER_OPENMETRICS,
	EXPORTER_PROTOBUF,
	EXPORTER_COUNT,
};

extern const struct exporter exporter_table[EXPORTER_COUNT];

/* The format that an Accept header prefers (NULL: absent). What takes none of them gets the first:
 * a scraper is better served with text than with an error. */
enum exporter_id exporter_choose(const char *accept);

/* NULL when there is none of that name. */
const struct exporter *exporter_find(const char *name);

#endif
