/* SPDX-License-Identifier: Apache-2.0 */
/* A span as OpenTelemetry's semantic conventions tell it, whatever it is then written as. */
#ifndef SONDE_EXPORT_SPAN_FIELDS_H
#define SONDE_EXPORT_SPAN_FIELDS_H

#include "base/arena.h"
#include "export/span_record.h"

/* Numbers of OTLP's SpanKind. */
enum span_kind {
	SPAN_KIND_INTERNAL = 1,
	SPAN_KIND_SERVER = 2,
	SPAN_KIND_CLIENT = 3,
	SPAN_KIND_PRODUCER = 4,
	SPAN_KIND_CONSUMER = 5,
};

struct span_attribute {
	const char *key;  /* static */
	const char *text; /* NULL: it is a number */
	int64_t number;
};

/* Texts are of the record, of the arena or static, and are UTF-8. */
struct span_fields {
	const char *service;
	const char *executable;
	const char *name;
	const char *tracestate;	       /* NULL: none */
	const struct span_link *links; /* of the record */
	size_t link_count;
	enum span_kind kind;
	bool is_error;
	size_t attribute_count;
	struct span_attribute attributes[ATTRIBUTE_COUNT + TIME_PART_COUNT + 40];
};

/* What is said of every resource: host.name, and what an operator adds. */
struct span_resource {
	const struct span_attribute *attributes; /* borrowed */
	size_t attribute_count;
};

#define SPAN_SCOPE "sonde"
#define SPAN_RESOURCE_MAX 64

/* Read a record. What is no UTF-8 in it is made so, in place. Without memory the arena says so, and texts are missing. */
void span_fields_read(struct span_record *record, struct arena *arena,
		      struct span_fields *ret_fields);

/* Attributes of the resource that the span belongs to. Returns how many. */
size_t span_resource_read(const struct span_resource *resource, const struct span_record *record,
			  const struct span_fields *fields,
			  struct span_attribute ret_attributes[SPAN_RESOURCE_MAX]);

/* Make a text fit to be told: one that is no UTF-8 makes a receiver refuse a whole message. */
void span_text_clean(char *text);

/* Is it a list, of which the text is the only one? */
bool span_attribute_is_list(const struct span_attribute *attribute);

/* The name of an attribute, "http.request.method" … */
const char *span_attribute_name(enum attribute attribute);

/* The version of the scope. */
const char *span_scope_version(void);

#endif
