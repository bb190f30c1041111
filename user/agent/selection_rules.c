/* SPDX-License-Identifier: Apache-2.0 */
/* One row a condition: how its value is read, and when a process satisfies it. */
#include "agent/selection_rules.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGE_SECONDS_MAX 31536000u

/* What a condition compares with; which member, its kind says. */
struct condition {
	const struct condition_kind *kind;
	const char *glob; /* in the rule's text */
	uint32_t least;
	uint32_t most;
};

struct condition_kind {
	const char *name;
	const char *wants; /* for people */
	unsigned needs;	   /* enum selection_need */
	int (*read)(struct condition *condition, const char *value);
	bool (*holds)(const struct condition *condition, const struct selection_facts *facts);
};

#define CONDITIONS_MAX 6 /* one of each kind */

struct rule {
	char text[SELECTION_RULE_BYTES];  /* as it was given */
	char parts[SELECTION_RULE_BYTES]; /* cut at the commas */
	struct condition conditions[CONDITIONS_MAX];
	size_t count;
};

struct selection_rules {
	struct rule rules[SELECTION_LIST_COUNT][SELECTION_RULES_MAX];
	size_t counts[SELECTION_LIST_COUNT];
};

static int read_number(const char *text, char **ret_end, unsigned long most, uint32_t *ret_number)
{
	unsigned long number;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoul(text, ret_end, 10);
	if (errno || number > most)
		return -EINVAL;
	*ret_number = (uint32_t)number;
	return 0;
}

static int read_glob(struct condition *condition, const char *value)
{
	condition->glob = value;
	return *value ? 0 : -EINVAL;
}

static int read_ports(struct condition *condition, const char *value)
{
	char *end;

	if (read_number(value, &end, UINT16_MAX, &condition->least))
		return -EINVAL;
	condition->most = condition->least;
	if (*end == '-' && read_number(end + 1, &end, UINT16_MAX, &condition->most))
		return -EINVAL;
	return *end || !condition->least || condition->most < condition->least ? -EINVAL : 0;
}

static int read_owner(struct condition *condition, const char *value)
{
	const struct passwd *user;
	char *end;

	if (!read_number(value, &end, UINT32_MAX, &condition->least) && !*end)
		return 0;
	user = *value ? getpwnam(value) : NULL;
	if (!user)
		return -EINVAL;
	condition->least = user->pw_uid;
	return 0;
}

static int read_age(struct condition *condition, const char *value)
{
	char *end;

	return read_number(value, &end, AGE_SECONDS_MAX, &condition->least) || *end ? -EINVAL : 0;
}

static bool path_holds(const struct condition *condition, const struct selection_facts *facts)
{
	return fnmatch(condition->glob, facts->path, 0) == 0;
}

static bool service_holds(const struct condition *condition, const struct selection_facts *facts)
{
	return fnmatch(condition->glob, facts->service, 0) == 0;
}

static bool cgroup_holds(const struct condition *condition, const struct selection_facts *facts)
{
	return fnmatch(condition->glob, facts->cgroup, 0) == 0;
}

static bool ports_hold(const struct condition *condition, const struct selection_facts *facts)
{
	for (size_t i = 0; i < facts->port_count; i++)
		if (facts->ports[i] >= condition->least && facts->ports[i] <= condition->most)
			return true;
	return false;
}

static bool owner_holds(const struct condition *condition, const struct selection_facts *facts)
{
	return facts->owner == condition->least;
}

static bool age_holds(const struct condition *condition, const struct selection_facts *facts)
{
	return facts->age_ns >= condition->least * 1000000000ull;
}

static const struct condition_kind kinds[CONDITIONS_MAX] = {
	{ "exe", "a glob for the executable's path", 0, read_glob, path_holds },
	{ "service", "a glob for the service's name", 0, read_glob, service_holds },
	{ "cgroup", "a glob for the control group", SELECTION_NEEDS_CGROUP, read_glob,
	  cgroup_holds },
	{ "port", "a port or a range of ports, like 8080 or 8000-8099", SELECTION_NEEDS_PORTS,
	  read_ports, ports_hold },
	{ "owner", "the name or number of a user of this machine", SELECTION_NEEDS_OWNER,
	  read_owner, owner_holds },
	{ "age", "seconds, at most a year", SELECTION_NEEDS_AGE, read_age, age_holds },
};

struct selection_rules *selection_rules_new(void)
{
	return calloc(1, sizeof(struct selection_rules));
}

void selection_rules_free(struct selection_rules **rules)
{
	free(*rules);
	*rules = NULL;
}

static const struct condition_kind *find_kind(const char *name, size_t length)
{
	for (size_t i = 0; i < CONDITIONS_MAX; i++)
		if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, name, length))
			return &kinds[i];
	return NULL;
}

static bool has_kind(const struct rule *rule, const struct condition_kind *kind)
{
	for (size_t i = 0; i < rule->count; i++)
		if (rule->conditions[i].kind == kind)
			return true;
	return false;
}

static int add_condition(struct rule *rule, const char *part, char *ret_why, size_t why_bytes)
{
	const char *value = strchr(part, '=');
	const struct condition_kind *kind =
		find_kind(part, value ? (size_t)(value - part) : strlen(part));
	struct condition *condition;

	if (!kind || !value) {
		snprintf(
			ret_why, why_bytes,
			"'%s': a condition is exe=, service=, port=, owner=, cgroup= or age= and a value",
			part);
		return -EINVAL;
	}
	if (has_kind(rule, kind)) {
		snprintf(ret_why, why_bytes, "'%s': a rule has one %s; make it two rules", part,
			 kind->name);
		return -EINVAL;
	}
	condition = &rule->conditions[rule->count++];
	condition->kind = kind;
	if (kind->read(condition, value + 1)) {
		snprintf(ret_why, why_bytes, "'%s': %s wants %s", part, kind->name, kind->wants);
		return -EINVAL;
	}
	return 0;
}

int selection_rules_add(struct selection_rules *rules, enum selection_list list, const char *text,
			char *ret_why, size_t why_bytes)
{
	struct rule *rule = &rules->rules[list][rules->counts[list]];
	char *next, *part;
	int error = 0;

	if (rules->counts[list] == SELECTION_RULES_MAX) {
		snprintf(ret_why, why_bytes, "at most %d rules of a kind", SELECTION_RULES_MAX);
		return -ENOSPC;
	}
	if (strlen(text) >= sizeof(rule->text)) {
		snprintf(ret_why, why_bytes, "a rule has at most %zu bytes",
			 sizeof(rule->text) - 1);
		return -EINVAL;
	}
	*rule = (struct rule){ 0 };
	strcpy(rule->text, text);
	strcpy(rule->parts, text);
	next = rule->parts;
	while (!error && (part = strsep(&next, ",")))
		error = add_condition(rule, part, ret_why, why_bytes);
	if (!error)
		rules->counts[list]++;
	return error;
}

unsigned selection_rules_need(const struct selection_rules *rules)
{
	unsigned needs = 0;

	for (size_t list = 0; list < SELECTION_LIST_COUNT; list++)
		for (size_t i = 0; i < rules->counts[list]; i++)
			for (size_t j = 0; j < rules->rules[list][i].count; j++)
				needs |= rules->rules[list][i].conditions[j].kind->needs;
	return needs;
}

bool selection_rules_are_none(const struct selection_rules *rules)
{
	return !rules->counts[SELECTION_ONLY] && !rules->counts[SELECTION_SKIP];
}

static bool rule_holds(const struct rule *rule, const struct selection_facts *facts)
{
	for (size_t i = 0; i < rule->count; i++)
		if (!rule->conditions[i].kind->holds(&rule->conditions[i], facts))
			return false;
	return true;
}

static bool any_holds(const struct selection_rules *rules, enum selection_list list,
		      const struct selection_facts *facts)
{
	for (size_t i = 0; i < rules->counts[list]; i++)
		if (rule_holds(&rules->rules[list][i], facts))
			return true;
	return false;
}

bool selection_rules_want(const struct selection_rules *rules, const struct selection_facts *facts)
{
	if (rules->counts[SELECTION_ONLY] && !any_holds(rules, SELECTION_ONLY, facts))
		return false;
	return !any_holds(rules, SELECTION_SKIP, facts);
}

const char *selection_rules_text(const struct selection_rules *rules, enum selection_list list,
				 size_t index)
{
	return index < rules->counts[list] ? rules->rules[list][index].text : NULL;
}
