/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde check`: load everything, say what happened, leave nothing behind. */
#include "cli/check.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/command_table.h"
#include "cli/commands.h"
#include "cli/json_table.h"
#include "cli/signal_view.h"

static size_t working_signals(const struct check_report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->signal_count; i++)
		count += report->signals[i].hook != NULL;
	return count;
}

int check_status(const struct check_report *report)
{
	size_t working = working_signals(report);

	if (report->fatal[0] || !working)
		return STATUS_FAILED;
	return working == report->signal_count ? STATUS_OK : STATUS_DEGRADED;
}

static const char *status_name(int status)
{
	return status == STATUS_OK ? "ok" : status == STATUS_DEGRADED ? "degraded" : "unusable";
}

static int print_json(FILE *file, const struct check_report *report, json_t *signals)
{
	json_t *answer =
		json_pack("{s:s,s:s,s:s?,s:o}", "status", status_name(check_status(report)),
			  "kernel", report->kernel, "fatal",
			  report->fatal[0] ? report->fatal : NULL, "signals", signals);
	int error = answer && json_dumpf(answer, file, JSON_INDENT(2)) == 0 ? 0 : -ENOMEM;

	json_decref(answer);
	fputc('\n', file);
	return error;
}

static int print_text(FILE *file, const struct check_report *report, json_t *signals, size_t width)
{
	size_t working = working_signals(report);
	int error;

	fprintf(file, "kernel %s\n\n", report->kernel);
	error = signal_view_print(file, signals, width);
	json_decref(signals);
	if (report->fatal[0])
		fprintf(file, "\nsonde cannot work here: %s\n", report->fatal);
	else if (working == report->signal_count)
		fprintf(file, "\nAll %zu signals work.\n", working);
	else
		fprintf(file, "\n%zu of %zu signals work.\n", working, report->signal_count);
	return error;
}

int check_print(FILE *file, const struct check_report *report, bool is_json, size_t width)
{
	json_t *signals = signal_view_json(report);

	if (!signals)
		return -ENOMEM;
	return is_json ? print_json(file, report, signals) :
			 print_text(file, report, signals, width);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	bool *is_json = state->input;

	(void)argument;
	if (key != 'j')
		return ARGP_ERR_UNKNOWN;
	*is_json = true;
	return 0;
}

int command_check(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "json", 'j', NULL, 0, "Print JSON (user/cli/README.md)", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Try every hook on this kernel and tell which ones sonde would use."
		       "\vExit status: 0 all signals work, 3 some do, 1 none does.",
	};
	_cleanup_free_ struct check_report *report = NULL;
	bool is_json = false;
	int error;

	argp_parse(&argp, argc, argv, 0, NULL, &is_json);
	error = load_check(&report);
	if (!error)
		error = check_print(stdout, report, is_json, terminal_width(stdout));
	if (error) {
		log_error("check: %s", strerror(-error));
		return STATUS_FAILED;
	}
	return check_status(report);
}
