/* SPDX-License-Identifier: Apache-2.0 */
/* What messages of spans and of metrics have in common: attributes, of resources too, scope, and how they are packed. For the files of
 * this room. */
#ifndef SONDE_EXPORT_OTLP_ATTRIBUTES_H
#define SONDE_EXPORT_OTLP_ATTRIBUTES_H

#include "base/arena.h"
#include "common.pb-c.h"
#include "export/span_fields.h"
#include "export/text_buffer.h"

/* The texts stay where they are. NULL when out of memory. */
Opentelemetry__Proto__Common__V1__KeyValue **otlp_attributes(
	struct arena *arena, const struct span_attribute *attributes, size_t count);

/* The one attribute `key`, true. */
Opentelemetry__Proto__Common__V1__KeyValue **otlp_flag(struct arena *arena, const char *key);

void otlp_scope_init(Opentelemetry__Proto__Common__V1__InstrumentationScope *scope);

/* Write a whole message into an empty buffer. Returns 0 or -ENOMEM. */
int otlp_pack(const ProtobufCMessage *message, struct text_buffer *ret_body);

#endif
