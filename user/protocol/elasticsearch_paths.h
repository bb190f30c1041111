/* SPDX-License-Identifier: Apache-2.0 */
/* What a request to Elasticsearch or OpenSearch does, from its method and path. */
#ifndef SONDE_PROTOCOL_ELASTICSEARCH_PATHS_H
#define SONDE_PROTOCOL_ELASTICSEARCH_PATHS_H

#include <stddef.h>

/* The endpoint's identifier, static; "other" when it is none of ours.
 *
 * ret_index, ret_index_bytes  the part of the path that names what is worked on; 0 bytes: nothing does
 * Source                      the REST API specifications of both projects */
const char *elasticsearch_operation(const char *method, const char *path, const char **ret_index,
				    size_t *ret_index_bytes);

#endif
