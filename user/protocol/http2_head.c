/* SPDX-License-Identifier: Apache-2.0 */
/* What the fields of HTTP/2 messages say of a request, and of a gRPC call (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). */
#include <string.h>

#include "protocol/http1_words.h"
#include "protocol/http2_state.h"

/* One block. */
struct head {
	struct exchange_facts *facts;
	bool has_status;
	bool has_type;
	bool is_grpc_type;
};

static bool is_text(struct hpack_text text, const char *word)
{
	return text.length == strlen(word) && memcmp(text.bytes, word, text.length) == 0;
}

/* Not application/grpc-web, which has its status in the body. */
static bool is_grpc_type(struct hpack_text type)
{
	static const char grpc[] = "application/grpc";
	size_t length = sizeof(grpc) - 1;

	return type.length >= length && memcmp(type.bytes, grpc, length) == 0 &&
	       (type.length == length || type.bytes[length] == '+' || type.bytes[length] == ';');
}

/* Without the query, cut at URL_PATH_MAX. */
static void set_path(struct exchange_facts *facts, struct hpack_text path)
{
	char *text = ((struct http2_text *)(void *)facts->text)->path;
	size_t length = 0;

	while (length < path.length && length < URL_PATH_MAX && path.bytes[length] != '?' &&
	       path.bytes[length] != '#')
		length++;
	memcpy(text, path.bytes, length);
	text[length] = '\0';
	facts->attributes[ATTRIBUTE_URL_PATH] = text;
}

/* What a label can hold, and what the names of methods are made of. */
static bool is_method_name(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || *name == '"' || *name == '\\')
			return false;
	return true;
}

static void tell_grpc(struct exchange_facts *facts)
{
	const char *path = facts->attributes[ATTRIBUTE_URL_PATH];

	facts->note |= NOTE_GRPC;
	facts->is_kind_unknown = false;
	facts->attributes[ATTRIBUTE_RPC_SYSTEM_NAME] = "grpc";
	if (path)
		facts->attributes[ATTRIBUTE_RPC_METHOD] =
			path[0] == '/' && is_method_name(path) ? path + 1 : "_OTHER";
}

static void on_request_field(void *context, struct hpack_text name, struct hpack_text value)
{
	struct head *head = context;

	if (is_text(name, ":method")) {
		head->facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD] =
			http1_method_label((const uint8_t *)value.bytes, value.length);
	} else if (is_text(name, ":path")) {
		set_path(head->facts, value);
	} else if (is_text(name, "content-type")) {
		head->has_type = true;
		head->is_grpc_type = is_grpc_type(value);
	} else if (name.length && trace_context_may_begin((uint8_t)name.bytes[0])) {
		trace_context_take(&head->facts->trace, head->facts->trace_texts,
				   (const uint8_t *)name.bytes, name.length,
				   (const uint8_t *)value.bytes, value.length, false);
	}
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void tell_status(struct head *head, struct hpack_text value)
{
	struct message *message = &head->facts->sides[SIDE_RESPONSE];
	const char *digits = value.bytes, *label;
	unsigned status;

	if (value.length != 3 || digits[0] < '1' || !is_digit(digits[0]) || !is_digit(digits[1]) ||
	    !is_digit(digits[2]))
		return;
	status = (unsigned)(digits[0] - '0') * 100 + (unsigned)(digits[1] - '0') * 10 +
		 (unsigned)(digits[2] - '0');
	head->has_status = true;
	message->is_interim = status < 200;
	if (message->is_interim)
		return;
	label = http1_status_label(status);
	message->fault = status < 400 ? FAULT_NONE : status < 500 ? FAULT_CLIENT : FAULT_SERVER;
	head->facts->attributes[ATTRIBUTE_HTTP_RESPONSE_STATUS_CODE] = label;
	head->facts->attributes[ATTRIBUTE_ERROR_TYPE] = message->fault ? label : NULL;
}

static void tell_grpc_status(struct exchange_facts *facts, struct hpack_text value)
{
	struct message *message = &facts->sides[SIDE_RESPONSE];
	unsigned status = GRPC_STATUS_COUNT;
	const char *label;

	if (value.length == 1 && is_digit(value.bytes[0]))
		status = (unsigned)(value.bytes[0] - '0');
	else if (value.length == 2 && value.bytes[0] == '1' && is_digit(value.bytes[1]))
		status = 10 + (unsigned)(value.bytes[1] - '0');
	tell_grpc(facts);
	label = grpc_status_name(status);
	if (!label)
		label = "_OTHER";
	message->fault = FAULT_NONE;
	if (status)
		message->fault = grpc_status_is_of_server(status) || status >= GRPC_STATUS_COUNT ?
					 FAULT_SERVER :
					 FAULT_CLIENT;
	facts->attributes[ATTRIBUTE_RPC_RESPONSE_STATUS_CODE] = label;
	facts->attributes[ATTRIBUTE_ERROR_TYPE] = status ? label : NULL;
}

static void on_answer_field(void *context, struct hpack_text name, struct hpack_text value)
{
	struct head *head = context;

	if (is_text(name, ":status")) {
		tell_status(head, value);
	} else if (is_text(name, "content-type")) {
		head->has_type = true;
		head->is_grpc_type = is_grpc_type(value);
	} else if (is_text(name, "grpc-status")) {
		tell_grpc_status(head->facts, value);
	}
}

static void on_other_field(void *context, struct hpack_text name, struct hpack_text value)
{
	(void)context;
	(void)name;
	(void)value;
}

/* All gRPC calls are POST; whether this is one, its content-type says. */
static void end_request_head(struct head *head, bool has_unknown)
{
	struct exchange_facts *facts = head->facts;
	const char *method = facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD];

	facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = "2";
	if (head->has_type)
		facts->note |= NOTE_TYPE_SEEN;
	if (head->is_grpc_type)
		tell_grpc(facts);
	else if (!method)
		facts->is_kind_unknown = true;
	else if (has_unknown && !head->has_type)
		facts->is_kind_unknown = strcmp(method, "POST") == 0;
	if (facts->is_kind_unknown || (has_unknown && !facts->attributes[ATTRIBUTE_URL_PATH]))
		facts->outcomes |= 1ull << PARSE_HEADER_UNKNOWN;
}

/* The newest block is where the status of a call must be. */
static void mark_missing_status(struct exchange_facts *facts, bool has_unknown)
{
	if (has_unknown && facts->note & NOTE_GRPC &&
	    !facts->attributes[ATTRIBUTE_RPC_RESPONSE_STATUS_CODE])
		facts->outcomes |= 1ull << PARSE_HEADER_UNKNOWN;
}

/* gRPC answers name their type, so one that does not is no such. */
static enum protocol_step end_answer_head(struct head *head, bool has_unknown, bool ends_stream)
{
	struct exchange_facts *facts = head->facts;

	if (facts->sides[SIDE_RESPONSE].is_interim) {
		facts->outcomes |= 1ull << PARSE_INTERIM;
		return STEP_HEAD;
	}
	facts->note |= NOTE_HEAD_SEEN;
	facts->attributes[ATTRIBUTE_NETWORK_PROTOCOL_VERSION] = "2";
	if (head->is_grpc_type)
		tell_grpc(facts);
	else if ((head->has_type ||
		  (!has_unknown && head->has_status)) && /* trailers tell nothing */
		 facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD])
		facts->is_kind_unknown = false;
	if (!head->has_status)
		facts->outcomes |= 1ull << PARSE_HEADER_UNKNOWN;
	if (ends_stream)
		mark_missing_status(facts, has_unknown);
	return STEP_HEAD;
}

static enum protocol_step end_trailers(struct exchange_facts *facts, bool has_unknown)
{
	mark_missing_status(facts, has_unknown);
	return STEP_ONWARD;
}

static int decode(struct http2_side *side, const uint8_t *block, size_t length,
		  void (*visit)(void *context, struct hpack_text name, struct hpack_text value),
		  struct head *head)
{
	int unknown;

	if (!side->hpack)
		side->hpack = hpack_new();
	if (!side->hpack)
		return -1;
	unknown = hpack_decode(side->hpack, block, length, visit, head);
	if (unknown < 0)
		hpack_free(&side->hpack);
	return unknown;
}

/* Of a block that was not captured the table may have taken in entries: those before have other numbers now. */
static enum protocol_step skip_block(struct http2_parse *parse)
{
	hpack_free(&parse->side->hpack);
	switch ((enum block_kind)parse->side->block_kind) {
	case BLOCK_REQUEST:
		return STEP_UNSEEN;
	case BLOCK_ANSWER:
		if (parse->facts->note & NOTE_HEAD_SEEN)
			return end_trailers(parse->facts, true);
		parse->facts->note |= NOTE_HEAD_SEEN;
		return STEP_UNSEEN;
	case BLOCK_PROMISE:
		return STEP_PUSH;
	default:
		return STEP_ONWARD;
	}
}

enum protocol_step http2_take_block(struct http2_parse *parse, const uint8_t *block, size_t length)
{
	static void (*const visit[])(void *, struct hpack_text, struct hpack_text) = {
		[BLOCK_REQUEST] = on_request_field, [BLOCK_ANSWER] = on_answer_field,
		[BLOCK_TRAILERS] = on_other_field,  [BLOCK_PROMISE] = on_other_field,
		[BLOCK_PUSHED] = on_other_field,
	};
	struct head head = { .facts = parse->facts };
	unsigned kind = parse->side->block_kind;
	int unknown;

	if (parse->side->is_block_unseen)
		return skip_block(parse);
	unknown = decode(parse->side, block, length, visit[kind], &head);
	if (unknown < 0)
		return STEP_BROKEN;
	if (kind == BLOCK_REQUEST) {
		end_request_head(&head, unknown > 0);
		return STEP_HEAD;
	}
	if (kind != BLOCK_ANSWER)
		return kind == BLOCK_PROMISE ? STEP_PUSH : STEP_ONWARD;
	if (head.has_status || !(parse->facts->note & NOTE_HEAD_SEEN))
		return end_answer_head(&head, unknown > 0, parse->side->ends_stream);
	return end_trailers(parse->facts, unknown > 0);
}
