/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde check` says about a report and returns for it. */
#ifndef SONDE_CLI_CHECK_H
#define SONDE_CLI_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "load/signal_report.h"

/* Returns enum command_status: OK, DEGRADED when a signal has no hook, FAILED when nothing works. */
int check_status(const struct check_report *report);

/* Returns 0 or -ENOMEM. */
int check_print(FILE *file, const struct check_report *report, bool is_json, size_t width);

#endif
