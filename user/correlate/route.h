/* SPDX-License-Identifier: Apache-2.0 */
/* Paths to routes: what varies becomes a placeholder, and each service has a bounded number of routes. */
#ifndef SONDE_CORRELATE_ROUTE_H
#define SONDE_CORRELATE_ROUTE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a route, with its NUL. */
#define ROUTE_MAX 256

/* Make a route of a path.
 *
 * {id} numbers, {uuid}, {date}, {hash} hexadecimal of 8 digits or more, {token} long random-looking or very long
 * words, {email}, {text} what has no place in a label (control, non-ASCII, quotes, braces, also when
 * percent-encoded). In file names the number before the ending and hashes between dots are replaced. At most 8
 * segments, then "/…". "*" and "" stay.
 *
 * path  without query; at URL_PATH_MAX bytes its last segment is taken for cut */
void route_template(const char *path, char ret_route[ROUTE_MAX]);

struct route_table;

/* services  with routes of their own; the least recently used one gives up its routes when full
 * Returns   NULL: out of memory */
struct route_table *route_table_new(size_t services, size_t routes_per_service);
void route_table_free(struct route_table **table);

/* The table's own copy of a route, or "other" when the service has its share (counted) or memory is short.
 * Valid until the next call for another service. */
const char *route_table_intern(struct route_table *table, const char *service, const char *route);

/* route_template and route_table_intern in one, without their work when the path was seen lately. */
const char *route_table_of_path(struct route_table *table, const char *service, const char *path);

uint64_t route_table_refused(const struct route_table *table);

#endif
