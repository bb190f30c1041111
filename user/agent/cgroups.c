/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "correlate/process.h"

#define FILE_MAX 2048 /* of those below; what is longer is cut */

/* One row a figure. Those of a file stand together. Source: Documentation/admin-guide/cgroup-v2.rst */
static const struct {
	const char *file;
	const char *word; /* its line begins with */
	uint64_t unit;	  /* ours in one of the file's */
	enum metric metric;
	const char *resource;
	bool is_quota; /* told as 0 as well, of a group that has a quota */
} rows[] = {
	{ "cpu.stat", "nr_periods", 1, METRIC_CGROUP_CPU_PERIODS, NULL, true },
	{ "cpu.stat", "nr_throttled", 1, METRIC_CGROUP_CPU_THROTTLED_PERIODS, NULL, true },
	{ "cpu.stat", "throttled_usec", 1000, METRIC_CGROUP_CPU_THROTTLED, NULL, true },
	{ "cpu.pressure", "some", 1000, METRIC_CGROUP_PRESSURE, "cpu", false },
	{ "cpu.pressure", "full", 1000, METRIC_CGROUP_PRESSURE, "cpu", false },
	{ "memory.pressure", "some", 1000, METRIC_CGROUP_PRESSURE, "memory", false },
	{ "memory.pressure", "full", 1000, METRIC_CGROUP_PRESSURE, "memory", false },
	{ "io.pressure", "some", 1000, METRIC_CGROUP_PRESSURE, "io", false },
	{ "io.pressure", "full", 1000, METRIC_CGROUP_PRESSURE, "io", false },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define ROW_PERIODS 0

struct cgroup {
	struct table_node node;
	uint64_t id;
	uint64_t totals[ROWS]; /* in our units */
	uint64_t grown[ROWS];  /* in this round */
	bool is_known[ROWS];   /* the kernel has told it once */
	bool is_met;
	bool is_read; /* in this round */
};

struct member_key {
	uint64_t id;
	char service[SERVICE_NAME_MAX];
};

struct member {
	struct table_node node;
	struct member_key key;
	bool is_met;
};

struct cgroups {
	struct series_store *store; /* borrowed */
	int (*open_folder)(void *context, uint64_t id);
	void *context;	     /* borrowed */
	struct table groups; /* owns its nodes, like the next */
	struct table members;
	struct cgroups_figures figures;
};

static bool match_id(const struct table_node *node, const void *key)
{
	return table_entry(node, struct cgroup, node)->id == *(const uint64_t *)key;
}

static bool match_member(const struct table_node *node, const void *key)
{
	const struct member_key *here = &table_entry(node, struct member, node)->key, *other = key;

	return here->id == other->id && strcmp(here->service, other->service) == 0;
}

struct cgroups *cgroups_new(struct series_store *store, size_t limit,
			    int (*open_folder)(void *context, uint64_t id), void *context)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));

	if (!cgroups)
		return NULL;
	*cgroups = (struct cgroups){ .store = store,
				     .open_folder = open_folder,
				     .context = context,
				     .figures = { .limit = limit } };
	if (table_init(&cgroups->groups, limit, match_id) ||
	    table_init(&cgroups->members, limit, match_member))
		cgroups_free(&cgroups);
	return cgroups;
}

static void forget_group(struct cgroups *cgroups, struct cgroup *group)
{
	table_remove(&cgroups->groups, &group->node);
	free(group);
}

static void forget_member(struct cgroups *cgroups, struct member *member)
{
	table_remove(&cgroups->members, &member->node);
	free(member);
}

void cgroups_free(struct cgroups **cgroups_slot)
{
	struct cgroups *cgroups = *cgroups_slot;

	if (!cgroups)
		return;
	while (cgroups->groups.oldest)
		forget_group(cgroups, table_entry(cgroups->groups.oldest, struct cgroup, node));
	while (cgroups->members.oldest)
		forget_member(cgroups, table_entry(cgroups->members.oldest, struct member, node));
	table_done(&cgroups->groups);
	table_done(&cgroups->members);
	free(cgroups);
	*cgroups_slot = NULL;
}

void cgroups_begin(struct cgroups *cgroups)
{
	for (struct table_node *node = cgroups->groups.oldest; node; node = node->newer) {
		struct cgroup *group = table_entry(node, struct cgroup, node);

		group->is_met = group->is_read = false;
	}
	for (struct table_node *node = cgroups->members.oldest; node; node = node->newer)
		table_entry(node, struct member, node)->is_met = false;
}

/* Find or make, like the next; NULL when there is no room. */
static struct cgroup *find_group(struct cgroups *cgroups, uint64_t id)
{
	uint64_t hash = hash_u64(id);
	struct table_node *node = table_find(&cgroups->groups, hash, &id);
	struct cgroup *group =
		node ? table_entry(node, struct cgroup, node) : calloc(1, sizeof(*group));

	if (node || !group)
		return group;
	group->id = id;
	if (table_insert(&cgroups->groups, &group->node, hash) == 0)
		return group;
	free(group);
	return NULL;
}

static struct member *find_member(struct cgroups *cgroups, uint64_t id, const char *service)
{
	struct member_key key = { .id = id };
	struct table_node *node;
	struct member *member;
	uint64_t hash;

	snprintf(key.service, sizeof(key.service), "%s", service);
	hash = hash_bytes(&key, sizeof(key));
	node = table_find(&cgroups->members, hash, &key);
	member = node ? table_entry(node, struct member, node) : calloc(1, sizeof(*member));
	if (node || !member)
		return member;
	member->key = key;
	if (table_insert(&cgroups->members, &member->node, hash) == 0)
		return member;
	free(member);
	return NULL;
}

void cgroups_member(struct cgroups *cgroups, uint64_t id, const char *service)
{
	struct cgroup *group = find_group(cgroups, id);
	struct member *member = group ? find_member(cgroups, id, service) : NULL;

	if (group)
		group->is_met = true;
	if (member)
		member->is_met = true;
	else
		cgroups->figures.refused++;
}

/* Returns 0 or negative errno; the text is terminated, and cut where there is no more room. */
static int read_text(int folder, const char *name, char ret_text[FILE_MAX])
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_text, FILE_MAX - 1);

	if (got < 0)
		return -errno;
	ret_text[got] = '\0';
	return 0;
}

/* The number of a line "word number" or "word … total=number". Returns whether there is one. */
static bool find_number(const char *text, const char *word, uint64_t *ret_number)
{
	size_t length = strlen(word);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *end, *total;

		line += *line == '\n';
		if (strncmp(line, word, length) != 0 || line[length] != ' ')
			continue;
		end = strchrnul(line, '\n');
		total = strstr(line, " total=");
		line += length + 1;
		if (total && total < end)
			line = total + strlen(" total=");
		if (*line < '0' || *line > '9')
			return false;
		*ret_number = strtoull(line, NULL, 10);
		return true;
	}
	return false;
}

/* What was before the group was met is not its services' alone: a session's group has seen others. */
static void set_total(struct cgroup *group, size_t row, uint64_t total)
{
	if (!group->is_known[row] || total < group->totals[row])
		group->totals[row] = total;
	group->is_known[row] = true;
	group->grown[row] = total - group->totals[row];
	group->totals[row] = total;
}

static void read_group(struct cgroups *cgroups, struct cgroup *group)
{
	_cleanup_close_ int folder = cgroups->open_folder(cgroups->context, group->id);
	char text[FILE_MAX];
	uint64_t number;

	group->is_read = folder >= 0;
	cgroups->figures.read += folder >= 0;
	cgroups->figures.unreadable += folder < 0;
	if (folder < 0)
		return;
	for (size_t i = 0; i < ROWS; i++) {
		bool is_next = i == 0 || strcmp(rows[i].file, rows[i - 1].file) != 0;

		if (is_next && read_text(folder, rows[i].file, text))
			text[0] = '\0'; /* not counted on this kernel, or switched off */
		group->grown[i] = 0;
		if (find_number(text, rows[i].word, &number))
			set_total(group, i, number * rows[i].unit);
	}
}

static void tell(struct cgroups *cgroups, const struct cgroup *group, const char *service)
{
	for (size_t i = 0; i < ROWS; i++) {
		label_values labels = { service, rows[i].resource,
					rows[i].resource ? rows[i].word : NULL };

		if (group->grown[i] || (rows[i].is_quota && group->totals[ROW_PERIODS]))
			(void)series_add(cgroups->store, rows[i].metric, labels, 0,
					 group->grown[i]);
	}
}

static void end_groups(struct cgroups *cgroups)
{
	struct table_node *next;

	cgroups->figures.read = cgroups->figures.unreadable = 0;
	for (struct table_node *node = cgroups->groups.oldest; node; node = next) {
		struct cgroup *group = table_entry(node, struct cgroup, node);

		next = node->newer;
		if (group->is_met)
			read_group(cgroups, group);
		else
			forget_group(cgroups, group);
	}
}

void cgroups_end(struct cgroups *cgroups)
{
	struct table_node *next;

	end_groups(cgroups);
	for (struct table_node *node = cgroups->members.oldest; node; node = next) {
		struct member *member = table_entry(node, struct member, node);
		const struct table_node *found =
			table_find(&cgroups->groups, hash_u64(member->key.id), &member->key.id);
		const struct cgroup *group =
			found ? table_entry(found, const struct cgroup, node) : NULL;

		next = node->newer;
		if (!member->is_met)
			forget_member(cgroups, member);
		else if (group && group->is_read)
			tell(cgroups, group, member->key.service);
	}
}

void cgroups_read(const struct cgroups *cgroups, struct cgroups_figures *ret_figures)
{
	*ret_figures = cgroups->figures;
}
