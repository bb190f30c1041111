/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_attributes.h"

#include <errno.h>
#include <stdlib.h>

/* protoc-c joins package and message names. */
#define proto_key_value Opentelemetry__Proto__Common__V1__KeyValue
#define proto_any_value Opentelemetry__Proto__Common__V1__AnyValue
#define proto_array_value Opentelemetry__Proto__Common__V1__ArrayValue

struct pair {
	struct proto_key_value key_value;
	struct proto_any_value value;
	struct proto_array_value array;
	struct proto_any_value *list[1];
	struct proto_any_value of_list;
};

static void set_text(struct proto_any_value *value, const char *text)
{
	value->value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE;
	value->string_value = (char *)text;
}

static void set_list(struct pair *pair, const char *text)
{
	opentelemetry__proto__common__v1__array_value__init(&pair->array);
	opentelemetry__proto__common__v1__any_value__init(&pair->of_list);
	set_text(&pair->of_list, text);
	pair->list[0] = &pair->of_list;
	pair->array.values = pair->list;
	pair->array.n_values = 1;
	pair->value.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE;
	pair->value.array_value = &pair->array;
}

static void pair_init(struct pair *pair, const char *key)
{
	opentelemetry__proto__common__v1__key_value__init(&pair->key_value);
	opentelemetry__proto__common__v1__any_value__init(&pair->value);
	pair->key_value.key = (char *)key;
	pair->key_value.value = &pair->value;
}

static void set_value(struct pair *pair, const struct span_attribute *attribute)
{
	if (span_attribute_is_list(attribute)) {
		set_list(pair, attribute->text);
	} else if (attribute->text) {
		set_text(&pair->value, attribute->text);
	} else {
		pair->value.value_case =
			OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE;
		pair->value.int_value = attribute->number;
	}
}

struct proto_key_value **otlp_attributes(struct arena *arena,
					 const struct span_attribute *attributes, size_t count)
{
	struct proto_key_value **list = arena_take(arena, count * sizeof(struct proto_key_value *));
	struct pair *pairs = arena_take(arena, count * sizeof(*pairs));

	if (!list || !pairs)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		pair_init(&pairs[i], attributes[i].key);
		set_value(&pairs[i], &attributes[i]);
		list[i] = &pairs[i].key_value;
	}
	return list;
}

struct proto_key_value **otlp_flag(struct arena *arena, const char *key)
{
	struct proto_key_value **list = arena_take(arena, sizeof(struct proto_key_value *));
	struct pair *pair = arena_take(arena, sizeof(*pair));

	if (!list || !pair)
		return NULL;
	pair_init(pair, key);
	pair->value.value_case = OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE;
	pair->value.bool_value = true;
	list[0] = &pair->key_value;
	return list;
}

void otlp_scope_init(Opentelemetry__Proto__Common__V1__InstrumentationScope *scope)
{
	opentelemetry__proto__common__v1__instrumentation_scope__init(scope);
	scope->name = (char *)SPAN_SCOPE;
	scope->version = (char *)span_scope_version();
}

int otlp_pack(const ProtobufCMessage *message, struct text_buffer *ret_body)
{
	size_t size = protobuf_c_message_get_packed_size(message);

	ret_body->bytes = malloc(size);
	if (!ret_body->bytes)
		return -ENOMEM;
	ret_body->size = size;
	ret_body->length = protobuf_c_message_pack(message, (uint8_t *)ret_body->bytes);
	return 0;
}
