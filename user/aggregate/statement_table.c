/* SPDX-License-Identifier: Apache-2.0 */
/* See statement_table.h. Groups hold their statements in an array for the search of the lightest, which is rare: between two
 * agings weights only grow, so what it found last time is a lower bound. */
#include "aggregate/statement_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/observe.h"
#include "base/table.h"
#include "correlate/shown_text.h"
#include "protocol/sql_text.h"

#define SUMMARY_MAX (SQL_TABLE_MAX + 24)
#define SKETCH_ROWS 2
#define SKETCH_BITS 12
#define WEIGHT_NS 1000 /* a unit of the sketch */

struct figures {
	uint64_t count;
	uint64_t errors;
	uint64_t rows;
	uint64_t total_ns;
	uint64_t worst_ns;
};

struct statement {
	struct table_node node;
	struct group *group; /* borrowed */
	size_t place;	     /* in the group's array */
	uint64_t fingerprint;
	uint64_t weight;
	struct figures figures;
	bool is_changed;
	char summary[SUMMARY_MAX];
	char text[];
};

struct group {
	struct table_node node;
	const char *kind; /* static, like system */
	const char *system;
	struct statement **statements; /* owned, and what is in it */
	size_t count;
	uint64_t least_weight; /* none of them has less */
	struct figures other;
	uint64_t forgotten; /* counts of statements that gave up their place */
	bool is_changed;
	char service[SERVICE_NAME_MAX];
};

struct statement_table {
	struct table groups;
	struct table statements;
	size_t per_group;
	uint64_t aged_ns;
	uint64_t evicted;
	struct series_store *store; /* borrowed; NULL until the first report */
	uint32_t sketch[SKETCH_ROWS][1 << SKETCH_BITS];
};

struct group_key {
	const char *service;
	const char *kind;
	const char *system;
};

struct statement_key {
	const struct group *group;
	uint64_t fingerprint;
};

static bool group_matches(const struct table_node *node, const void *key)
{
	const struct group *group = table_entry(node, struct group, node);
	const struct group_key *wanted = key;

	return group->kind == wanted->kind && strcmp(group->system, wanted->system) == 0 &&
	       strcmp(group->service, wanted->service) == 0;
}

static bool statement_matches(const struct table_node *node, const void *key)
{
	const struct statement *statement = table_entry(node, struct statement, node);
	const struct statement_key *wanted = key;

	return statement->fingerprint == wanted->fingerprint && statement->group == wanted->group;
}

struct statement_table *statement_table_new(size_t per_group, size_t in_all)
{
	struct statement_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->per_group = per_group;
	if (table_init(&table->groups, STATEMENT_GROUPS_MAX, group_matches) ||
	    table_init(&table->statements, in_all, statement_matches))
		statement_table_free(&table);
	return table;
}

/* The series of a statement, or of what is other (text NULL). */
struct labels_of {
	char fingerprint[17];
	label_values values;
};

static void labels_write(struct labels_of *labels, const struct group *group, uint64_t fingerprint)
{
	(void)snprintf(labels->fingerprint, sizeof(labels->fingerprint), "%016llx",
		       (unsigned long long)fingerprint);
	labels->values[0] = group->service;
	labels->values[1] = group->kind;
	labels->values[2] = group->system;
	labels->values[3] = fingerprint ? labels->fingerprint : "other";
}

static const enum metric figure_metrics[] = {
	METRIC_DB_STATEMENTS,	     METRIC_DB_STATEMENT_ERRORS, METRIC_DB_STATEMENT_ROWS,
	METRIC_DB_STATEMENT_SECONDS, METRIC_DB_STATEMENT_WORST,
};

static void remove_series(const struct statement_table *table, const struct group *group,
			  const struct statement *statement)
{
	struct labels_of labels = { 0 };

	if (!table->store)
		return;
	labels_write(&labels, group, statement ? statement->fingerprint : 0);
	for (size_t i = 0; i < sizeof(figure_metrics) / sizeof(figure_metrics[0]); i++)
		series_remove(table->store, figure_metrics[i], labels.values);
	if (!statement) {
		series_remove(table->store, METRIC_DB_STATEMENTS_FORGOTTEN, labels.values);
		return;
	}
	labels.values[4] = statement->summary;
	labels.values[5] = statement->text;
	series_remove(table->store, METRIC_DB_STATEMENT_INFO, labels.values);
}

static void statement_drop(struct statement_table *table, struct statement *statement)
{
	struct group *group = statement->group;
	struct statement *last = group->statements[--group->count];

	remove_series(table, group, statement);
	group->statements[statement->place] = last;
	last->place = statement->place;
	table_remove(&table->statements, &statement->node);
	free(statement);
}

static void group_drop(struct statement_table *table, struct group *group)
{
	while (group->count)
		statement_drop(table, group->statements[group->count - 1]);
	remove_series(table, group, NULL);
	table_remove(&table->groups, &group->node);
	free(group->statements);
	free(group);
}

void statement_table_free(struct statement_table **slot)
{
	struct statement_table *table = *slot;

	*slot = NULL;
	if (!table)
		return;
	table->store = NULL;
	while (table->groups.oldest)
		group_drop(table, table_entry(table->groups.oldest, struct group, node));
	table_done(&table->groups);
	table_done(&table->statements);
	free(table);
}

static struct group *group_new(struct statement_table *table, const struct group_key *key,
			       uint64_t hash)
{
	struct group *group;

	if (table->groups.count == table->groups.limit) {
		struct group *oldest = table_entry(table->groups.oldest, struct group, node);

		table->evicted += oldest->count;
		group_drop(table, oldest);
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->statements = calloc(table->per_group, sizeof(struct statement *));
	if (!group->statements) {
		free(group);
		return NULL;
	}
	group->kind = key->kind;
	group->system = key->system;
	strncpy(group->service, key->service, sizeof(group->service) - 1);
	(void)table_insert(&table->groups, &group->node, hash); /* room was made */
	return group;
}

static struct group *group_get(struct statement_table *table, const struct request *request)
{
	struct group_key key = { .service = request->process->service,
				 .kind = observe_role_name(request->role),
				 .system = request->attributes[ATTRIBUTE_DB_SYSTEM_NAME] };
	uint64_t hash = hash_bytes(key.service, strlen(key.service)) ^ (uintptr_t)key.kind ^
			(uintptr_t)key.system;
	struct table_node *node = table_find(&table->groups, hash, &key);

	return node ? table_entry(node, struct group, node) : group_new(table, &key, hash);
}

static uint64_t statement_hash(const struct group *group, uint64_t fingerprint)
{
	return fingerprint ^ hash_u64((uintptr_t)group);
}

/* Add to what the sketch knows of a statement. Returns what it weighs now, or more. */
static uint64_t sketch_add(struct statement_table *table, uint64_t hash, uint64_t weight)
{
	uint64_t units = weight / WEIGHT_NS + 1, least = UINT32_MAX;
	uint32_t *cells[SKETCH_ROWS];

	for (size_t row = 0; row < SKETCH_ROWS; row++) {
		cells[row] =
			&table->sketch[row][hash >> SKETCH_BITS * row & ((1 << SKETCH_BITS) - 1)];
		if (*cells[row] < least)
			least = *cells[row];
	}
	units = units < UINT32_MAX - least ? least + units : UINT32_MAX;
	for (size_t row = 0; row < SKETCH_ROWS; row++)
		if (*cells[row] < units)
			*cells[row] = (uint32_t)units;
	return units * WEIGHT_NS;
}

static struct statement *lightest(struct group *group)
{
	struct statement *found = group->statements[0];

	for (size_t i = 1; i < group->count; i++)
		if (group->statements[i]->weight < found->weight)
			found = group->statements[i];
	group->least_weight = found->weight;
	return found;
}

/* Returns false when those that are there weigh more. */
static bool make_room(struct statement_table *table, struct group *group, uint64_t weight)
{
	struct statement *least;

	if (group->count < table->per_group && table->statements.count < table->statements.limit)
		return true;
	if (!group->count || weight / 2 <= group->least_weight)
		return false;
	least = lightest(group);
	if (weight / 2 <= least->weight)
		return false;
	group->forgotten += least->figures.count;
	group->is_changed = true;
	statement_drop(table, least);
	table->evicted++;
	return true;
}

/* As OpenTelemetry's db.query.summary: what is done, and to what. */
static void summary_write(char summary[SUMMARY_MAX], const struct request *request)
{
	char text[SUMMARY_MAX];
	int length;

	const char *operation = request->attributes[ATTRIBUTE_DB_OPERATION_NAME];
	const char *collection = request->attributes[ATTRIBUTE_DB_COLLECTION_NAME];

	length = snprintf(text, sizeof(text), "%s%s%s", operation ? operation : "other",
			  collection ? " " : "", collection ? collection : "");
	(void)shown_text_copy(summary, SUMMARY_MAX, text, (size_t)length);
}

/* NULL: it has to go to `other`. */
static struct statement *statement_new(struct statement_table *table, struct group *group,
				       const struct request *request, uint64_t weight)
{
	uint64_t hash = statement_hash(group, request->statement);
	const char *text = request->attributes[ATTRIBUTE_DB_QUERY_TEXT];
	size_t bytes = text ? strlen(text) + 1 : 1;
	struct statement *statement;

	if (group->count >= table->per_group || table->statements.count >= table->statements.limit)
		weight = sketch_add(table, hash, weight);
	if (!make_room(table, group, weight))
		return NULL;
	statement = calloc(1, sizeof(*statement) + bytes);
	if (!statement)
		return NULL;
	statement->group = group;
	statement->fingerprint = request->statement;
	statement->weight = weight;
	statement->place = group->count;
	summary_write(statement->summary, request);
	if (text)
		(void)shown_text_copy(statement->text, bytes, text, bytes - 1);
	group->statements[group->count++] = statement;
	if (weight < group->least_weight)
		group->least_weight = weight;
	(void)table_insert(&table->statements, &statement->node, hash); /* room was made */
	return statement;
}

static void figures_add(struct figures *figures, const struct request *request,
			uint64_t duration_ns)
{
	figures->count++;
	figures->errors += request->attributes[ATTRIBUTE_ERROR_TYPE] != NULL;
	figures->rows += request->rows;
	figures->total_ns += duration_ns;
	if (duration_ns > figures->worst_ns)
		figures->worst_ns = duration_ns;
}

static uint64_t weight_of(const struct request *request, uint64_t duration_ns)
{
	bool is_failure = request->attributes[ATTRIBUTE_ERROR_TYPE];

	return is_failure && duration_ns < STATEMENT_FAILURE_NS ? STATEMENT_FAILURE_NS :
								  duration_ns;
}

void statement_observe(struct statement_table *table, const struct request *request,
		       uint64_t duration_ns)
{
	uint64_t weight = weight_of(request, duration_ns);
	struct group *group = table->per_group ? group_get(table, request) : NULL;
	struct statement_key key = { group, request->statement };
	struct statement *statement;
	struct table_node *node;

	if (!group)
		return;
	node = table_find(&table->statements, statement_hash(group, request->statement), &key);
	if (node) {
		statement = table_entry(node, struct statement, node);
		statement->weight += weight;
	} else {
		statement = statement_new(table, group, request, weight);
	}
	if (statement) {
		statement->is_changed = true;
		figures_add(&statement->figures, request, duration_ns);
	} else {
		group->is_changed = true;
		figures_add(&group->other, request, duration_ns);
	}
}

static void age(struct statement_table *table, uint64_t now_ns)
{
	if (now_ns - table->aged_ns < STATEMENT_AGING_NS)
		return;
	table->aged_ns = now_ns;
	for (size_t row = 0; row < SKETCH_ROWS; row++)
		for (size_t i = 0; i < 1 << SKETCH_BITS; i++)
			table->sketch[row][i] /= 2;
	for (struct table_node *node = table->statements.oldest; node; node = node->newer)
		table_entry(node, struct statement, node)->weight /= 2;
	for (struct table_node *node = table->groups.oldest; node; node = node->newer)
		table_entry(node, struct group, node)->least_weight = 0;
}

static void report_figures(struct series_store *store, struct labels_of *labels,
			   const struct figures *figures)
{
	const char *const *values = labels->values;

	/* What finds no room is counted in the store. */
	(void)series_set_total(store, METRIC_DB_STATEMENTS, values, 0, figures->count);
	(void)series_set_total(store, METRIC_DB_STATEMENT_ERRORS, values, 0, figures->errors);
	(void)series_set_total(store, METRIC_DB_STATEMENT_ROWS, values, 0, figures->rows);
	(void)series_set_total(store, METRIC_DB_STATEMENT_SECONDS, values, 0, figures->total_ns);
	(void)series_set(store, METRIC_DB_STATEMENT_WORST, values, 0,
			 (double)figures->worst_ns / 1e9);
}

static void report_statement(struct series_store *store, const struct statement *statement)
{
	struct labels_of labels = { 0 };

	labels_write(&labels, statement->group, statement->fingerprint);
	report_figures(store, &labels, &statement->figures);
	labels.values[4] = statement->summary;
	labels.values[5] = statement->text;
	(void)series_set(store, METRIC_DB_STATEMENT_INFO, labels.values, 0, 1);
}

void statement_table_report(struct statement_table *table, struct series_store *store,
			    uint64_t now_ns)
{
	table->store = store;
	for (struct table_node *node = table->statements.oldest; node; node = node->newer) {
		struct statement *statement = table_entry(node, struct statement, node);

		if (statement->is_changed)
			report_statement(store, statement);
		statement->is_changed = false;
	}
	for (struct table_node *node = table->groups.oldest; node; node = node->newer) {
		struct group *group = table_entry(node, struct group, node);
		struct labels_of labels = { 0 };

		labels_write(&labels, group, 0);
		if (group->is_changed) {
			report_figures(store, &labels, &group->other);
			(void)series_set_total(store, METRIC_DB_STATEMENTS_FORGOTTEN, labels.values,
					       0, group->forgotten);
		}
		group->is_changed = false;
	}
	age(table, now_ns);
}

static struct statement_view view_of(const struct group *group, const struct figures *figures)
{
	return (struct statement_view){ .service = group->service,
					.kind = group->kind,
					.system = group->system,
					.summary = "other",
					.count = figures->count,
					.errors = figures->errors,
					.rows = figures->rows,
					.total_ns = figures->total_ns,
					.worst_ns = figures->worst_ns };
}

void statement_table_each(const struct statement_table *table,
			  void (*visit)(void *context, const struct statement_view *view),
			  void *context)
{
	struct statement_view view;

	for (const struct table_node *node = table->groups.oldest; node; node = node->newer) {
		const struct group *group = table_entry(node, struct group, node);

		for (size_t i = 0; i < group->count; i++) {
			const struct statement *statement = group->statements[i];

			view = view_of(group, &statement->figures);
			view.summary = statement->summary;
			view.text = statement->text;
			view.fingerprint = statement->fingerprint;
			visit(context, &view);
		}
		view = view_of(group, &group->other);
		if (view.count)
			visit(context, &view);
	}
}

size_t statement_table_room(const struct statement_table *table)
{
	return table->statements.count + table->groups.count + 1;
}

void statement_table_read(const struct statement_table *table,
			  struct statement_table_stats *ret_stats)
{
	*ret_stats = (struct statement_table_stats){ .count = table->statements.count,
						     .limit = table->statements.limit,
						     .evicted = table->evicted };
}
