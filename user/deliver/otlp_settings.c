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
#define TRACES_PATH "/v1/traces"

typedef char *(*lookup_fn)(const char *name);

/* The variable for traces goes before the one for all signals; an empty one counts as unset. */
static const char *variable(lookup_fn lookup, const char *name)
{
	char full[64];
	const char *value;

	snprintf(full, sizeof(full), "OTEL_EXPORTER_OTLP_TRACES_%s", name);
	value = lookup(full);
	if (!value || !*value) {
		snprintf(full, sizeof(full), "OTEL_EXPORTER_OTLP_%s", name);
		value = lookup(full);
	}
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

/* An endpoint for all signals is a base, one for traces is taken as it is. */
static int read_url(const char *endpoint, lookup_fn lookup, struct otlp_settings *settings,
		    char *why)
{
	const char *traces = lookup("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
	const char *base = endpoint ? endpoint : variable(lookup, "ENDPOINT");
	bool is_whole = !endpoint && traces && *traces;
	size_t length = base ? strlen(base) : 0;

	if (!base)
		return 0;
	if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0) {
		snprintf(why, OTLP_SETTINGS_WHY_MAX,
			 "the OTLP endpoint must begin with http:// or https://");
		return -EINVAL;
	}
	while (!is_whole && length && base[length - 1] == '/')
		length--;
	if (asprintf(&settings->url, "%.*s%s", (int)length, base, is_whole ? "" : TRACES_PATH) <
	    0) {
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

static int read_headers_variable(lookup_fn lookup, struct otlp_settings *settings, char *why)
{
	const char *listed = variable(lookup, "HEADERS");
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

static int read_files(lookup_fn lookup, struct otlp_settings *settings)
{
	int error = copy(variable(lookup, "CERTIFICATE"), &settings->certificate);

	if (!error)
		error = copy(variable(lookup, "CLIENT_CERTIFICATE"), &settings->client_certificate);
	if (!error)
		error = copy(variable(lookup, "CLIENT_KEY"), &settings->client_key);
	return error;
}

static int read_manner(lookup_fn lookup, struct otlp_settings *settings, char *why)
{
	const char *protocol = variable(lookup, "PROTOCOL");
	const char *timeout = variable(lookup, "TIMEOUT");
	const char *compression = variable(lookup, "COMPRESSION");
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

int otlp_settings_read(const char *endpoint, const char *headers_file,
		       char *(*lookup)(const char *name), struct otlp_settings *ret_settings,
		       char ret_why[OTLP_SETTINGS_WHY_MAX])
{
	int error;

	*ret_settings = (struct otlp_settings){ 0 };
	snprintf(ret_why, OTLP_SETTINGS_WHY_MAX, "out of memory");
	error = read_url(endpoint, lookup, ret_settings, ret_why);
	if (error || !ret_settings->url)
		return error;
	error = read_manner(lookup, ret_settings, ret_why);
	if (!error)
		error = read_files(lookup, ret_settings);
	if (!error)
		error = read_headers_variable(lookup, ret_settings, ret_why);
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
