/* SPDX-License-Identifier: Apache-2.0 */
/* The table shows what was tried; the reasons, which are long, follow in lines of their own. */
#include "cli/signal_view.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "cli/json_table.h"
#include "correlate/shown_text.h"

static json_t *alternatives_json(const struct signal_report *signal)
{
	json_t *array = json_array();
	bool is_whole = array != NULL;

	for (size_t i = 0; is_whole && i < signal->alternative_count; i++) {
		const struct alternative_report *alternative = &signal->alternatives[i];
		char reason[REPORT_REASON_MAX]; /* one line of well-formed text, whatever the kernel said */
		json_t *row;

		(void)shown_text_copy(reason, sizeof(reason), alternative->reason,
				      strnlen(alternative->reason, sizeof(alternative->reason)));
		row = json_pack("{s:s,s:b,s:b,s:s}", "hook", alternative->hook, "tried",
				alternative->is_tried, "ok", alternative->is_ok, "reason", reason);

		is_whole = json_array_append_new(array, row) == 0;
	}
	if (is_whole)
		return array;
	json_decref(array);
	return NULL;
}

json_t *signal_view_json(const struct check_report *report)
{
	json_t *array = json_array();
	bool is_whole = array != NULL;

	for (size_t i = 0; is_whole && i < report->signal_count; i++) {
		const struct signal_report *signal = &report->signals[i];
		json_t *row = json_pack("{s:s,s:s?,s:s?,s:s?,s:o}", "signal", signal->signal,
					"target", signal->target, "hook", signal->hook, "loses",
					signal->hook || signal->is_off ? NULL : signal->loses,
					"alternatives", alternatives_json(signal));

		is_whole = json_array_append_new(array, row) == 0;
	}
	if (is_whole)
		return array;
	json_decref(array);
	return NULL;
}

/* "tp_btf failed, raw_tp" */
static json_t *tried_text(const json_t *alternatives)
{
	const json_t *alternative;
	char text[256] = "";
	size_t i, used = 0;

	json_array_foreach(alternatives, i, alternative) {
		const char *hook = json_string_value(json_object_get(alternative, "hook"));

		if (!json_is_true(json_object_get(alternative, "tried")) || used >= sizeof(text))
			continue;
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%s%s", used ? ", " : "",
			hook ? hook : "?",
			json_is_true(json_object_get(alternative, "ok")) ? "" : " failed");
	}
	return json_string(text);
}

static void print_reasons(FILE *file, const json_t *signal, bool *is_first)
{
	const char *name = json_string_value(json_object_get(signal, "signal"));
	const char *loses = json_string_value(json_object_get(signal, "loses"));
	const json_t *alternatives = json_object_get(signal, "alternatives"), *alternative;
	size_t i;

	json_array_foreach(alternatives, i, alternative) {
		const char *hook = json_string_value(json_object_get(alternative, "hook"));
		const char *reason = json_string_value(json_object_get(alternative, "reason"));

		if (!reason || !*reason)
			continue;
		fprintf(file, "%s%s: %s: %s\n", *is_first ? "\n" : "", name ? name : "?",
			hook ? hook : "?", reason);
		*is_first = false;
	}
	if (!loses)
		return;
	fprintf(file, "%s%s: no hook works; you lose: %s\n", *is_first ? "\n" : "",
		name ? name : "?", loses);
	*is_first = false;
}

static int append_row(json_t *rows, const json_t *signal)
{
	const char *hook = json_string_value(json_object_get(signal, "hook"));
	json_t *row = json_pack("{s:O?,s:O?,s:s,s:o}", "signal", json_object_get(signal, "signal"),
				"target", json_object_get(signal, "target"), "hook",
				hook				 ? hook :
				json_object_get(signal, "loses") ? "none" :
								   "off",
				"tried", tried_text(json_object_get(signal, "alternatives")));

	return json_array_append_new(rows, row) ? -ENOMEM : 0;
}

int signal_view_print(FILE *file, const json_t *signals, size_t width)
{
	static const struct column columns[] = {
		{ .key = "signal" },
		{ .key = "target", .title = "KERNEL PLACE" },
		{ .key = "hook" },
		{ .key = "tried" },
	};
	json_t *rows = json_array();
	const json_t *signal;
	int error = rows ? 0 : -ENOMEM;
	bool is_first = true;
	size_t i;

	json_array_foreach(signals, i, signal)
		if (!error)
			error = append_row(rows, signal);
	if (!error)
		error = json_table_print(file, rows, columns, sizeof(columns) / sizeof(columns[0]),
					 width);
	json_decref(rows);
	if (error)
		return error;
	json_array_foreach(signals, i, signal)
		print_reasons(file, signal, &is_first);
	return 0;
}
