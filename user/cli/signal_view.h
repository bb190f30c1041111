/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader found out, as JSON and for people: `sonde check` and `sonde dump hooks` show the same. */
#ifndef SONDE_CLI_SIGNAL_VIEW_H
#define SONDE_CLI_SIGNAL_VIEW_H

#include <jansson.h>
#include <stdio.h>

#include "load/signal_report.h"

/* An array, one object a signal (user/cli/README.md). NULL when out of memory. */
json_t *signal_view_json(const struct check_report *report);

/* The table and, below it, why hooks do not work and what is lost. Returns 0 or -ENOMEM. */
int signal_view_print(FILE *file, const json_t *signals, size_t width);

#endif
