/* SPDX-License-Identifier: Apache-2.0 */
/* Where and how spans and metrics are posted: OpenTelemetry's environment variables, and what the command line says instead. */
#ifndef SONDE_DELIVER_OTLP_SETTINGS_H
#define SONDE_DELIVER_OTLP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "export/span_fields.h"

#define OTLP_HEADERS_MAX 32

enum otlp_signal {
	OTLP_TRACES,
	OTLP_METRICS,
	OTLP_SIGNAL_COUNT,
};

struct otlp_settings {
	const char *what;		 /* is posted, for the log; static */
	char *url;			 /* owned, like all that follow; NULL: nothing is posted */
	char *shown_url;		 /* the same without name and password */
	char *headers[OTLP_HEADERS_MAX]; /* "name: value" */
	size_t header_count;
	char *certificate; /* file of CAs; NULL: the system's */
	char *client_certificate;
	char *client_key;
	unsigned long timeout_ms;
	bool is_gzip;
};

/* endpoint, headers_file  of the command line; NULL: not given
 * lookup                  getenv(3), or what a test puts in its place
 * why                     says what is wrong when this fails
 * Returns                 0 or negative errno; settings are to be freed either way */
#define OTLP_SETTINGS_WHY_MAX 512
int otlp_settings_read(enum otlp_signal signal, const char *endpoint, const char *headers_file,
		       char *(*lookup)(const char *name), struct otlp_settings *ret_settings,
		       char ret_why[OTLP_SETTINGS_WHY_MAX]);
void otlp_settings_done(struct otlp_settings *settings);

/* Attributes of every resource: OTEL_RESOURCE_ATTRIBUTES but for what differs by process, and host.name. */
struct resource_settings {
	char *text; /* owned; what the attributes point into */
	struct span_attribute attributes[SPAN_RESOURCE_MAX];
	size_t count;
};

/* listed   the variable's value, or NULL
 * Returns  0; -EINVAL when it is no list; -ENOMEM */
int resource_settings_read(const char *listed, const char *host_name,
			   struct resource_settings *ret_settings);
void resource_settings_done(struct resource_settings *settings);

#endif
