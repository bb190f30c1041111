/* SPDX-License-Identifier: Apache-2.0 */
/* The slowest requests, each with a bar of where its time went. */
#ifndef SONDE_CLI_SLOW_VIEW_H
#define SONDE_CLI_SLOW_VIEW_H

#include <jansson.h>
#include <stdio.h>

/* rows   of `dump slow` (user/cli/README.md)
 * width  of a line, what is longer is cut; 0: no limit
 * Returns 0 or -ENOMEM */
int slow_view_print(FILE *file, const json_t *rows, size_t width);

#endif
