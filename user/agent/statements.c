/* SPDX-License-Identifier: Apache-2.0 */
/* SQL statements for people: those that took the most time first. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/state.h"
#include "base/cleanup.h"

struct listing {
	struct statement_view *views;
	size_t count;
	size_t room;
};

static void add_view(void *context, const struct statement_view *view)
{
	struct listing *listing = context;

	if (listing->count < listing->room)
		listing->views[listing->count++] = *view;
}

static int compare_views(const void *a, const void *b)
{
	const struct statement_view *left = a, *right = b;

	return (left->total_ns < right->total_ns) - (left->total_ns > right->total_ns);
}

static json_t *view_json(const struct statement_view *view)
{
	char fingerprint[17] = "other";

	if (view->text)
		(void)snprintf(fingerprint, sizeof(fingerprint), "%016llx",
			       (unsigned long long)view->fingerprint);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:s, s:s}", "service",
			 view->service, "kind", view->kind, "system", view->system, "fingerprint",
			 fingerprint, "count", (json_int_t)view->count, "errors",
			 (json_int_t)view->errors, "rows", (json_int_t)view->rows, "total_seconds",
			 (double)view->total_ns / 1e9, "worst_seconds",
			 (double)view->worst_ns / 1e9, "summary", view->summary, "text",
			 view->text ? view->text : "");
}

int statements_write(void *context, size_t limit, json_t **ret_array, size_t *ret_total)
{
	struct agent *agent = context;
	size_t room = statement_table_room(agent->statements);
	_cleanup_free_ struct statement_view *views = calloc(room, sizeof(*views));
	struct listing listing = { .views = views, .room = room };
	json_t *array = json_array();

	if (!views || !array) {
		json_decref(array);
		return -ENOMEM;
	}
	statement_table_each(agent->statements, add_view, &listing);
	qsort(views, listing.count, sizeof(*views), compare_views);
	for (size_t i = 0; i < listing.count && i < limit; i++)
		(void)json_array_append_new(array, view_json(&views[i])); /* the size tells */
	*ret_array = array;
	*ret_total = listing.count;
	return 0;
}
