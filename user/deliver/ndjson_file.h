/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as lines of JSON, appended to a file or written to standard output. */
#ifndef SONDE_DELIVER_NDJSON_FILE_H
#define SONDE_DELIVER_NDJSON_FILE_H

#include "base/wall_clock.h"
#include "deliver/delivery.h"
#include "export/span_fields.h"

extern const struct delivery_route ndjson_file_route;

/* A context for the route.
 *
 * path             "-": standard output
 * resource, clock  borrowed; they must outlive it
 * Returns          0 or negative errno */
struct ndjson_file;
int ndjson_file_new(const char *path, const struct span_resource *resource,
		    const struct wall_clock *clock, struct ndjson_file **ret_file);

#endif
