/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry semantic conventions 1.37, "Naming": words of a name are joined by dots, those of one component by '_'. */
#include "export/metric_names.h"

#include <string.h>

/* First words of the conventions' names. */
static const char *const namespaces[] = {
	"container", "db",	"dns",	   "error", "graphql", "http",	  "k8s",
	"messaging", "network", "process", "rpc",   "server",  "service",
};

/* Components of several words. */
static const char *const components[] = { "status_code", "returned_rows" };

static const char *const numbers[] = { "http.response.status_code", "process.pid", "server.port" };

static const char *const units[UNIT_COUNT] = {
	[UNIT_NONE] = "",
	[UNIT_SECONDS] = "s",
	[UNIT_BYTES] = "By",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_of_conventions(const char *name)
{
	size_t length = strcspn(name, "_");

	for (size_t i = 0; i < COUNT(namespaces); i++)
		if (name[length] && strlen(namespaces[i]) == length &&
		    strncmp(name, namespaces[i], length) == 0)
			return true;
	return false;
}

static size_t component_length(const char *name)
{
	for (size_t i = 0; i < COUNT(components); i++) {
		size_t length = strlen(components[i]);

		if (strncmp(name, components[i], length) == 0 &&
		    (name[length] == '_' || !name[length]))
			return length;
	}
	return strcspn(name, "_");
}

static void put_dots(char *name)
{
	for (;;) {
		name += component_length(name);
		if (!*name)
			return;
		*name++ = '.';
	}
}

static void cut_suffix(char *name, const char *suffix)
{
	size_t length = strlen(name), cut = strlen(suffix);

	if (length > cut && strcmp(name + length - cut, suffix) == 0)
		name[length - cut] = '\0';
}

static void copy_name(char to[METRIC_NAME_MAX], const char *name)
{
	strncpy(to, name, METRIC_NAME_MAX - 1);
	to[METRIC_NAME_MAX - 1] = '\0';
}

void attribute_name_read(const char *label, struct attribute_name *ret_name)
{
	copy_name(ret_name->name, label);
	if (is_of_conventions(label))
		put_dots(ret_name->name);
	ret_name->is_number = false;
	for (size_t i = 0; i < COUNT(numbers); i++)
		ret_name->is_number |= strcmp(ret_name->name, numbers[i]) == 0;
}

void metric_names_read(enum metric metric, struct metric_names *ret_names)
{
	const struct metric_row *row = &metric_table[metric];

	copy_name(ret_names->name, row->name);
	if (row->type == METRIC_COUNTER)
		cut_suffix(ret_names->name, "_total");
	if (is_of_conventions(row->name)) {
		if (row->unit == UNIT_SECONDS)
			cut_suffix(ret_names->name, "_seconds");
		if (row->unit == UNIT_BYTES)
			cut_suffix(ret_names->name, "_bytes");
		put_dots(ret_names->name);
	} else {
		ret_names->name[strcspn(ret_names->name, "_")] = '.';
	}
	ret_names->unit = units[row->unit];
	for (size_t i = 0; row->labels[i]; i++)
		attribute_name_read(row->labels[i], &ret_names->labels[i]);
}
