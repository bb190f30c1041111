/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry specification 1.x, "OpenTelemetry Protocol Exporter": variables, their defaults and order. */
#include "deliver/otlp_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "deliver/key_value_list.h"

#define TIMEOUT_MS 10000
#define TIMEOUT_MAX_MS 600000

typedef char *(*lookup_fn)(const char *name);

static const struct {
	const char *variable; /* in the names of environment variables */
	const char *path;
	const char *what;
} signals[OTLP_SIGNAL_COUNT] = {
	[OTLP_TRACES] = { "TRACES", "/v1/traces", "spans" },
	[OTLP_METRICS] = { "METRICS", "/v1/metrics", "metrics" },
};

/* Where variables are looked for. */
struct environment {
	lookup_fn lookup;
	enum otlp_signal signal;
};

/* <prefix>_<signal>_<name>; an empty one counts as unset. */
static const char *signal_variable(const struct environment *from, const char *prefix,
				   const char *name)
{
	char full[64];
	const char *value;

	snprintf(full, sizeof(full), "%s_%s_%s", prefix, signals[from->signal].variable, name);
	value = from->lookup(full);
	return value && *value ? value : NULL;
}

/* The variable of the signal goes before the one for all signals. */
static const char *variable(const struct environment *from, const char *name)
{
	char full[64];
	const char *value = signal_variable(from, "OTEL_EXPORTER_OTLP", name);

	if (value)
		return value;
	snprintf(full, sizeof(full), "OTEL_EXPORTER_OTLP_%s", name);
	value = from->lookup(full);
	return value && *value ? value : NULL;
}

static int copy(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

static int show_url(struct otlp_settings *settings)
{
	const char *host = strstr(settings->url, "//") + 2;
	const char *at = strchr(host, '@');

	if (!at || at > host + strcspn(host, "/?#"))
		return copy(settings->url, &settings->shown_url);
	if (asprintf(&settings->shown_url, "%.*s%s", (int)(host - settings->url), settings->url,
		     at + 1) < 0) {
		settings->shown_url = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* Of the exporters in that list, "otlp" is the one that an endpoint is for. */
static bool is_switched_off(const struct environment *from)
{
	const char *list = signal_variable(from, "OTEL", "EXPORTER");

	if (!list)
		return false;
	for (;; list++) {
		size_t length = strcspn(list, ",");

		if (length == 4 && strncmp(list, "otlp", length) == 0)
			return false;
		list += length;
		if (!*list)
			return true;
	}
}

/* An endpoint for all signals is a base, one for the signal is taken as it is. */
static int read_url(const char *endpoint, const struct environment *from,
		    struct otlp_settings *settings, char *why)
{
	const char *base = endpoint ? endpoint : variable(from, "ENDPOINT");
	bool is_whole = !endpoint && signal_variable(from, "OTEL_EXPORTER_OTLP", "ENDPOINT");
	size_t length = base ? strlen(base) : 0;

	if (!base || (!endpoint && is_switched_off(from)))
		return 0;
	if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0) {
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "the OTLP endpoint must begin with http:// or https://");
		return -EINVAL;
	}
	while (!is_whole && length && base[length - 1] == '/')
		length--;
	if (asprintf(&settings->url, "%.*s%s", (int)length, base,
		     is_whole ? "" : signals[from->signal].path) < 0) {
		settings->url = NULL;
		return -ENOMEM;
	}
	return show_url(settings);
}

static int add_header(struct otlp_settings *settings, const char *name, const char *value)
{
	char **slot = &settings->headers[settings->header_count];

	if (settings->header_count == OTLP_HEADERS_MAX || strpbrk(name, "\r\n") ||
	    strpbrk(value, "\r\n"))
		return -EINVAL;
	if (asprintf(slot, "%s: %s", name, value) < 0)
		return -ENOMEM;
	settings->header_count++;
	return 0;
}

static int read_headers_variable(const struct environment *from, struct otlp_settings *settings,
				 char *why)
{
	const char *listed = variable(from, "HEADERS");
	_cleanup_free_ char *text = listed ? strdup(listed) : NULL;
	char *list = text, *key, *value;
	int status = listed && !text ? -ENOMEM : 1;

	while (status > 0) {
		status = key_value_next(&list, &key, &value);
		if (status > 0 && add_header(settings, key, value))
			status = -EINVAL;
	}
	if (status)
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "OTEL_EXPORTER_OTLP_HEADERS: want name=value,… of at most %d headers",
			 OTLP_HEADERS_MAX);
	return status;
}

/* Lines of `name: value`; empty ones and those that begin with # say nothing. */
static int read_headers_file(const char *path, struct otlp_settings *settings, char *why)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	int error = file ? 0 : -errno;

	if (error)
		snprintf(why, OTLP_SETTINGS_WHY_MAX, "%s: %s", path, strerror(-error));
	while (!error && getline(&line, &size, file) >= 0) {
		char *value = strchr(line, ':');

		line[strcspn(line, "\r\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		if (value)
			*value++ = '\0';
		error = value && value - line > 1 ?
				add_header(settings, line, value + strspn(value, " \t")) :
				-EINVAL;
		if (error)
			snprintf(why, OTLP_SETTINGS_WHY_MAX,
				 "%s: want lines of `name: value`, at most %d", path,
				 OTLP_HEADERS_MAX);
	}
	return error;
}

static int read_files(const struct environment *from, struct otlp_settings *settings)
{
	int error = copy(variable(from, "CERTIFICATE"), &settings->certificate);

	if (!error)
		error = copy(variable(from, "CLIENT_CERTIFICATE"), &settings->client_certificate);
	if (!error)
		error = copy(variable(from, "CLIENT_KEY"), &settings->client_key);
	return error;
}

static int read_manner(const struct environment *from, struct otlp_settings *settings, char *why)
{
	const char *protocol = variable(from, "PROTOCOL");
	const char *timeout = variable(from, "TIMEOUT");
	const char *compression = variable(from, "COMPRESSION");
	char *end;

	settings->timeout_ms = TIMEOUT_MS;
	settings->is_gzip = !compression || strcmp(compression, "gzip") == 0;
	if (protocol && strcmp(protocol, "http/protobuf") != 0) {
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is spoken, not '%s'",
			 protocol);
		return -EINVAL;
	}
	if (compression && !settings->is_gzip && strcmp(compression, "none") != 0) {
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "OTEL_EXPORTER_OTLP_COMPRESSION: gzip or none, not '%s'", compression);
		return -EINVAL;
	}
	if (timeout)
		settings->timeout_ms = strtoul(timeout, &end, 10);
	if (timeout && (*end || *timeout == '-' || !settings->timeout_ms ||
			settings->timeout_ms > TIMEOUT_MAX_MS)) {
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "OTEL_EXPORTER_OTLP_TIMEOUT: milliseconds from 1 to %d, not '%s'",
			 TIMEOUT_MAX_MS, timeout);
		return -EINVAL;
	}
	return 0;
}

int otlp_settings_read(enum otlp_signal signal, const char *endpoint, const char *headers_file,
		       char *(*lookup)(const char *name), struct otlp_settings *ret_settings,
		       char ret_why[OTLP_SETTINGS_WHY_MAX])
{
	const struct environment environment = { lookup, signal }, *from = &environment;
	int error;

	*ret_settings = (struct otlp_settings){ .what = signals[signal].what };
	snprintf(ret_why, OTLP_SETTINGS_WHY_MAX, "out of memory");
	error = read_url(endpoint, from, ret_settings, ret_why);
	if (error || !ret_settings->url)
		return error;
	error = read_manner(from, ret_settings, ret_why);
	if (!error)
		error = read_files(from, ret_settings);
	if (!error)
		error = read_headers_variable(from, ret_settings, ret_why);
	if (!error && headers_file)
		error = read_headers_file(headers_file, ret_settings, ret_why);
	return error;
}

void otlp_settings_done(struct otlp_settings *settings)
{
	for (size_t i = 0; i < settings->header_count; i++)
		free(settings->headers[i]);
	free(settings->url);
	free(settings->shown_url);
	free(settings->certificate);
	free(settings->client_certificate);
	free(settings->client_key);
	*settings = (struct otlp_settings){ 0 };
}
