/* SPDX-License-Identifier: Apache-2.0 */
/* The service of a process, from what its exec event says, strongest source first. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "correlate/command_name.h"
#include "correlate/process.h"
#include "correlate/shown_text.h"

/* The payload of a process_exec event, cut into its parts. */
struct exec_texts {
	struct text path;
	struct text args;
	struct text service_name;
	struct text resource_attributes;
	struct text cgroup;
};

static struct text take(struct text *rest, size_t length)
{
	struct text part = { rest->at, length < rest->length ? length : rest->length };

	rest->at += part.length;
	rest->length -= part.length;
	return part;
}

static struct exec_texts exec_texts_of(const struct event *event)
{
	const struct event_process_exec *exec = event->process_exec;
	struct text rest = { (const char *)event->payload, event->payload_bytes };
	struct exec_texts texts;

	texts.path = take(&rest, exec->path_bytes);
	texts.args = take(&rest, exec->args_bytes);
	texts.service_name = take(&rest, exec->service_name_bytes);
	texts.resource_attributes = take(&rest, exec->resource_attributes_bytes);
	texts.cgroup = take(&rest, exec->cgroup_bytes);
	return texts;
}

static struct text trim(struct text text)
{
	while (text.length && isspace((unsigned char)text.at[0])) {
		text.at++;
		text.length--;
	}
	while (text.length && isspace((unsigned char)text.at[text.length - 1]))
		text.length--;
	return text;
}

/* False when nothing is left. */
static bool name_set(char name[SERVICE_NAME_MAX], struct text text)
{
	text = trim(text);
	return shown_text_copy(name, SERVICE_NAME_MAX, text.at, text.length) > 0;
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)(digit | 0x20);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -EINVAL;
}

/* Returns the decoded length or -EINVAL. `to` has room for as many bytes as `from` has. */
static int percent_decode(struct text from, char *to)
{
	int length = 0;

	for (size_t i = 0; i < from.length; i++) {
		int high, low;

		if (from.at[i] != '%') {
			to[length++] = from.at[i];
			continue;
		}
		if (i + 2 >= from.length)
			return -EINVAL;
		high = hex_digit(from.at[i + 1]);
		low = hex_digit(from.at[i + 2]);
		if (high < 0 || low < 0)
			return -EINVAL;
		to[length++] = (char)(high << 4 | low);
		i += 2;
	}
	return length;
}

static struct text cut_at(struct text *rest, char separator)
{
	const char *cut = rest->length ? memchr(rest->at, separator, rest->length) : NULL;
	struct text part = take(rest, cut ? (size_t)(cut - rest->at) : rest->length);

	(void)take(rest, cut ? 1 : 0); /* the separator */
	return part;
}

/* Source: OpenTelemetry specification, "Resource SDK": key=value pairs as in W3C baggage, values
 * percent-encoded, no metadata after semicolons; after an error in decoding the whole variable is void. */
static bool name_from_attributes(struct text attributes, char name[SERVICE_NAME_MAX])
{
	bool is_cut = attributes.length >= PROCESS_ENV_MAX;
	char value[PROCESS_ENV_MAX], found[PROCESS_ENV_MAX];
	int found_length = 0;

	if (attributes.length > PROCESS_ENV_MAX)
		return false;
	while (attributes.length) {
		struct text pair = cut_at(&attributes, ',');
		struct text key = trim(cut_at(&pair, '='));
		int length;

		if (is_cut && !attributes.length)
			break; /* only its beginning was captured */
		length = percent_decode(trim(pair), value);
		if (length < 0)
			return false;
		if (key.length != strlen("service.name") ||
		    memcmp(key.at, "service.name", key.length))
			continue;
		memcpy(found, value, (size_t)length);
		found_length = length;
	}
	return name_set(name, (struct text){ found, (size_t)found_length });
}

static bool ends_with(struct text text, const char *suffix)
{
	size_t length = strlen(suffix);

	return text.length > length && !memcmp(text.at + text.length - length, suffix, length);
}

static bool begins_with(struct text text, const char *prefix)
{
	return text.length >= strlen(prefix) && !memcmp(text.at, prefix, strlen(prefix));
}

static size_t hex_digits(struct text text)
{
	size_t digits = 0;

	while (digits < text.length && hex_digit(text.at[digits]) >= 0)
		digits++;
	return digits;
}

/* Container runtimes name groups after 64 hexadecimal digits; Kubernetes after the pod. */
static bool is_container(struct text component)
{
	for (struct text rest = component; rest.length >= 64;) {
		size_t digits = hex_digits(rest);

		if (digits >= 64)
			return true;
		(void)take(&rest, digits + 1);
	}
	return begins_with(component, "kubepods") || begins_with(component, "kubelet-kubepods");
}

/* Names that systemd makes up: user@1000 (a manager); run-u12, run-p34-i56 and run-r with 32 hexadecimal
 * digits (systemd-run). */
static bool is_made_up_unit(struct text unit)
{
	struct text rest = unit;

	if (begins_with(unit, "user@"))
		return true;
	if (begins_with(unit, "run-u") || begins_with(unit, "run-p"))
		return isdigit((unsigned char)unit.at[5]);
	(void)take(&rest, strlen("run-r"));
	return begins_with(unit, "run-r") && hex_digits(rest) >= 32;
}

static bool is_unit(struct text component)
{
	static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ends_with(component, kinds[i]))
			return true;
	return false;
}

/* The innermost unit of a control-group path, if it is a service and no container lies inside of it. */
static struct text service_unit(struct text cgroup)
{
	while (cgroup.length) {
		struct text component = text_base(cgroup);

		cgroup.length = (size_t)(component.at - cgroup.at);
		while (cgroup.length && cgroup.at[cgroup.length - 1] == '/')
			cgroup.length--;
		if (is_unit(component)) {
			if (!ends_with(component, ".service") || is_made_up_unit(component))
				break;
			component.length -= strlen(".service");
			return component;
		}
		if (is_container(component))
			break;
	}
	return (struct text){ "", 0 };
}

/* Undo systemd's escapes (`my\x2dapp`). Source: systemd.unit(5), "String escaping for inclusion in unit names". */
static bool name_from_unit(struct text cgroup, char name[SERVICE_NAME_MAX])
{
	struct text unit = service_unit(cgroup);
	char plain[PROCESS_CGROUP_MAX];
	size_t length = 0;

	for (size_t i = 0; i < unit.length && length < sizeof(plain); i++) {
		plain[length++] = unit.at[i];
		if (i + 3 >= unit.length || unit.at[i] != '\\' || unit.at[i + 1] != 'x' ||
		    hex_digit(unit.at[i + 2]) < 0 || hex_digit(unit.at[i + 3]) < 0)
			continue;
		plain[length - 1] =
			(char)(hex_digit(unit.at[i + 2]) << 4 | hex_digit(unit.at[i + 3]));
		i += 3;
	}
	return name_set(name, (struct text){ plain, length });
}

/* An argument that the captured bytes end in is not used: half a name is worse than none. */
static struct text without_cut_argument(struct text args)
{
	size_t length = args.length;

	if (length < PROCESS_ARGS_MAX || !args.at[length - 1])
		return args;
	while (length && args.at[length - 1])
		length--;
	if (length)
		args.length = length;
	return args;
}

static bool name_from_command(const struct exec_texts *texts, char name[SERVICE_NAME_MAX])
{
	struct text found;

	if (command_name_find(texts->path, without_cut_argument(texts->args), &found) < 0)
		return false;
	return name_set(name, found);
}

/* Runtimes start containers through paths such as /proc/self/fd/7, whose base name says nothing. */
static bool name_from_program(const struct exec_texts *texts, char name[SERVICE_NAME_MAX])
{
	struct text args = texts->args;

	if (begins_with(texts->path, "/proc/") || begins_with(texts->path, "/dev/fd/"))
		if (name_set(name, text_base(cut_at(&args, '\0'))))
			return true;
	return name_set(name, text_base(texts->path));
}

void service_name_choose(const struct event *exec, char ret_name[SERVICE_NAME_MAX])
{
	const struct exec_texts texts = exec_texts_of(exec);
	const char *comm = exec->process_exec->comm;

	if (name_set(ret_name, texts.service_name) ||
	    name_from_attributes(texts.resource_attributes, ret_name) ||
	    name_from_unit(texts.cgroup, ret_name) || name_from_command(&texts, ret_name) ||
	    name_from_program(&texts, ret_name) ||
	    name_set(ret_name,
		     (struct text){ comm, strnlen(comm, sizeof(exec->process_exec->comm)) }))
		return;
	strcpy(ret_name, "unknown");
}
