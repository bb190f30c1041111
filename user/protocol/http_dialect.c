/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies are read as JSON, member by member; Elasticsearch's requests are known by their path. What could not be read to its
 * end says less, and is counted as such; nothing is guessed. */
#include "protocol/http_dialect.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "protocol/elasticsearch_paths.h"
#include "protocol/graphql_words.h"
#include "protocol/http1_state.h"
#include "protocol/json_scan.h"

#define TOOK_MAX_MS 1000000000000u /* thirty years */

/* Members of a body whose value matters. */
enum member {
	MEMBER_NONE,
	MEMBER_METHOD,	       /* JSON-RPC */
	MEMBER_QUERY,	       /* GraphQL */
	MEMBER_OPERATION_NAME, /* GraphQL */
	MEMBER_ERROR,	       /* JSON-RPC: an object with a code */
	MEMBER_CODE,
	MEMBER_ERRORS, /* GraphQL: an array */
	MEMBER_TOOK,   /* Elasticsearch */
	MEMBER_ITEMS,  /* Elasticsearch */
	MEMBER_STATUS,
};

struct body {
	struct json_scan json;
	uint8_t member;	     /* whose value is next */
	uint8_t batch_depth; /* 1 when the body is an array of what is read otherwise, else 0 */
	uint8_t open;	     /* the member that is being read, an object or array, and … */
	uint8_t open_depth;  /* … how deep it is */
	uint32_t objects;    /* of a batch */
	uint32_t succeeded;  /* items so far */
	uint32_t failed;
	bool is_read; /* else the body is passed over */
	bool is_cut;  /* not all was captured, or it is not JSON */
	bool has_bytes;
	bool has_method;
	bool has_query;
	bool has_persisted_query;
};

struct http_dialect_reader {
	unsigned dialects; /* bits */
	struct body sides[SIDE_COUNT];
	struct graphql_document document;
	char name[HTTP_DIALECT_NAME_MAX + 1]; /* of the first request in the body */
};

static const char *const dialect_names[HTTP_DIALECT_COUNT] = {
#define X(NAME, label) [HTTP_DIALECT_##NAME] = label,
	HTTP_DIALECTS(X)
#undef X
};

static const struct protocol dialect_protocols[HTTP_DIALECT_COUNT] = {
#define X(NAME, label) [HTTP_DIALECT_##NAME] = { .name = label },
	HTTP_DIALECTS(X)
#undef X
};

int http_dialect_find(const char *name, size_t length)
{
	for (int i = 0; i < HTTP_DIALECT_COUNT; i++)
		if (strlen(dialect_names[i]) == length &&
		    memcmp(dialect_names[i], name, length) == 0)
			return i;
	return -1;
}

const struct protocol *http_dialect_protocol(enum http_dialect dialect)
{
	return &dialect_protocols[dialect];
}

const struct http_dialect_facts *http_dialect_facts_of(const struct exchange_facts *facts)
{
	return &((const struct http1_text *)(const void *)facts->text)->dialect;
}

static bool is_dialect(const struct exchange_facts *facts, enum http_dialect dialect)
{
	return facts->dialect == &dialect_protocols[dialect];
}

static bool is_elasticsearch(const struct exchange_facts *facts)
{
	return is_dialect(facts, HTTP_DIALECT_ELASTICSEARCH) ||
	       is_dialect(facts, HTTP_DIALECT_OPENSEARCH);
}

static struct http_dialect_facts *speak(struct exchange_facts *facts, enum http_dialect dialect)
{
	struct http_dialect_facts *spoken = &text_of(facts)->dialect;

	facts->dialect = &dialect_protocols[dialect];
	memset(spoken, 0, sizeof(*spoken));
	return spoken;
}

static void name_copy(char to[HTTP_DIALECT_NAME_MAX + 1], const char *from, size_t bytes)
{
	if (bytes > HTTP_DIALECT_NAME_MAX)
		bytes = HTTP_DIALECT_NAME_MAX;
	memcpy(to, from, bytes);
	to[bytes] = '\0';
}

void http_dialect_tell(const struct exchange_facts *facts,
		       const char *ret_attributes[ATTRIBUTE_COUNT])
{
	const struct http_dialect_facts *spoken = http_dialect_facts_of(facts);
	const char *name = spoken->name[0] ? spoken->name : NULL;

	memset(ret_attributes, 0, ATTRIBUTE_COUNT * sizeof(ret_attributes[0]));
	if (is_dialect(facts, HTTP_DIALECT_JSONRPC)) {
		ret_attributes[ATTRIBUTE_RPC_SYSTEM_NAME] = facts->dialect->name;
		ret_attributes[ATTRIBUTE_RPC_METHOD] = name;
		ret_attributes[ATTRIBUTE_RPC_RESPONSE_STATUS_CODE] = spoken->error;
	} else if (is_dialect(facts, HTTP_DIALECT_GRAPHQL)) {
		ret_attributes[ATTRIBUTE_GRAPHQL_OPERATION_TYPE] = spoken->operation;
		ret_attributes[ATTRIBUTE_GRAPHQL_OPERATION_NAME] = name;
	} else {
		ret_attributes[ATTRIBUTE_DB_SYSTEM_NAME] = facts->dialect->name;
		ret_attributes[ATTRIBUTE_DB_OPERATION_NAME] = spoken->operation;
		ret_attributes[ATTRIBUTE_DB_COLLECTION_NAME] = name;
	}
	ret_attributes[ATTRIBUTE_ERROR_TYPE] =
		spoken->error ? spoken->error : facts->attributes[ATTRIBUTE_ERROR_TYPE];
}

struct http_dialect_reader *http_dialect_reader_new(unsigned dialects)
{
	struct http_dialect_reader *reader = dialects ? calloc(1, sizeof(*reader)) : NULL;

	if (reader)
		reader->dialects = dialects;
	return reader;
}

static bool speaks(const struct http_dialect_reader *reader, enum http_dialect dialect)
{
	return reader->dialects & 1u << dialect;
}

static bool begin_elasticsearch(const struct http_dialect_reader *reader,
				struct exchange_facts *facts)
{
	const char *method = facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD];
	const char *path = facts->attributes[ATTRIBUTE_URL_PATH];
	struct http_dialect_facts *spoken;
	const char *index;
	size_t bytes;

	if (!method || !path)
		return false;
	spoken = speak(facts, speaks(reader, HTTP_DIALECT_OPENSEARCH) ? HTTP_DIALECT_OPENSEARCH :
									HTTP_DIALECT_ELASTICSEARCH);
	spoken->operation = elasticsearch_operation(method, path, &index, &bytes);
	name_copy(spoken->name, index, bytes);
	return true;
}

static bool begin_request(struct http_dialect_reader *reader, struct exchange_facts *facts)
{
	const char *method = facts->attributes[ATTRIBUTE_HTTP_REQUEST_METHOD];

	if (speaks(reader, HTTP_DIALECT_ELASTICSEARCH) || speaks(reader, HTTP_DIALECT_OPENSEARCH)) {
		(void)begin_elasticsearch(reader, facts);
		return false; /* what was asked for is in the path */
	}
	memset(&reader->document, 0, sizeof(reader->document));
	reader->name[0] = '\0';
	return method && strcmp(method, "POST") == 0;
}

/* Elasticsearch's bodies that say something of what was done. */
static bool is_told_by_answer(const struct http_dialect_facts *spoken)
{
	return strcmp(spoken->operation, "bulk") == 0 || strcmp(spoken->operation, "search") == 0;
}

bool http_dialect_begin(struct http_dialect_reader *reader, enum message_side side,
			struct exchange_facts *facts)
{
	struct body *body = &reader->sides[side];

	memset(body, 0, sizeof(*body));
	if (side == SIDE_REQUEST)
		body->is_read = begin_request(reader, facts);
	else
		body->is_read = facts->dialect && (!is_elasticsearch(facts) ||
						   is_told_by_answer(http_dialect_facts_of(facts)));
	return body->is_read;
}

/* A row for each member that matters. */
static const struct {
	const char *key;
	uint8_t depth; /* below the batch */
	uint8_t member;
	uint8_t open; /* the member it is in */
	uint8_t side;
	uint8_t dialects;
} members[] = {
#define DIALECT(NAME) (1u << HTTP_DIALECT_##NAME)
#define SEARCH (DIALECT(ELASTICSEARCH) | DIALECT(OPENSEARCH))
	{ "method", 1, MEMBER_METHOD, MEMBER_NONE, SIDE_REQUEST, DIALECT(JSONRPC) },
	{ "query", 1, MEMBER_QUERY, MEMBER_NONE, SIDE_REQUEST, DIALECT(GRAPHQL) },
	{ "operationName", 1, MEMBER_OPERATION_NAME, MEMBER_NONE, SIDE_REQUEST, DIALECT(GRAPHQL) },
	{ "error", 1, MEMBER_ERROR, MEMBER_NONE, SIDE_RESPONSE, DIALECT(JSONRPC) },
	{ "code", 2, MEMBER_CODE, MEMBER_ERROR, SIDE_RESPONSE, DIALECT(JSONRPC) },
	{ "errors", 1, MEMBER_ERRORS, MEMBER_NONE, SIDE_RESPONSE, DIALECT(GRAPHQL) },
	{ "took", 1, MEMBER_TOOK, MEMBER_NONE, SIDE_RESPONSE, SEARCH },
	{ "items", 1, MEMBER_ITEMS, MEMBER_NONE, SIDE_RESPONSE, SEARCH },
	{ "status", 4, MEMBER_STATUS, MEMBER_ITEMS, SIDE_RESPONSE, SEARCH },
#undef SEARCH
#undef DIALECT
};

static enum member member_of(const struct http_dialect_reader *reader, enum message_side side,
			     const struct body *body)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].side == side && members[i].dialects & reader->dialects &&
		    members[i].depth + body->batch_depth == body->json.depth &&
		    members[i].open == body->open && strcmp(members[i].key, body->json.text) == 0)
			return members[i].member;
	return MEMBER_NONE;
}

static void take_key(struct http_dialect_reader *reader, enum message_side side, struct body *body)
{
	if (side == SIDE_REQUEST && body->json.depth == 1u + body->batch_depth &&
	    strcmp(body->json.text, "extensions") == 0)
		body->has_persisted_query = true;
	body->member = (uint8_t)member_of(reader, side, body);
	if (body->objects > 1 && side == SIDE_REQUEST)
		body->member = MEMBER_NONE; /* named by the first of a batch */
	body->json.wants_characters = body->member == MEMBER_QUERY;
}

/* JSON-RPC 2.0 §5.1; what servers make up is one. */
static const char *code_label(const char *text)
{
	static const char *const labels[] = { "-32700", "-32600", "-32601", "-32602", "-32603" };

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (strcmp(text, labels[i]) == 0)
			return labels[i];
	return strncmp(text, "-320", 4) == 0 && strlen(text) == 6 ? "server_error" : "_OTHER";
}

static void take_string(struct http_dialect_reader *reader, struct body *body,
			struct exchange_facts *facts)
{
	const struct json_scan *json = &body->json;

	if (body->member == MEMBER_METHOD) {
		body->has_method = true;
		name_copy(reader->name, json->text, json->text_bytes);
	} else if (body->member == MEMBER_OPERATION_NAME) {
		name_copy(reader->name, json->text, json->text_bytes);
	} else if (body->member == MEMBER_QUERY) {
		body->has_query = true;
	} else if (body->member == MEMBER_ERROR && facts->dialect) { /* before version 2.0 */
		text_of(facts)->dialect.error = "_OTHER";
	}
}

static void take_took(struct http_dialect_facts *spoken, const char *text)
{
	char *end;
	unsigned long long milliseconds = strtoull(text, &end, 10);

	if (*end || end == text || milliseconds > TOOK_MAX_MS)
		return;
	spoken->took_ns = milliseconds * NS_PER_MS;
	spoken->has_took = true;
}

static bool is_search(const struct http_dialect_facts *spoken)
{
	return spoken->operation && strcmp(spoken->operation, "search") == 0;
}

static void take_scalar(struct body *body, struct exchange_facts *facts)
{
	struct http_dialect_facts *spoken = &text_of(facts)->dialect;
	const char *text = body->json.text;

	if (!facts->dialect)
		return;
	if (body->member == MEMBER_CODE && !spoken->error)
		spoken->error = code_label(text);
	else if (body->member == MEMBER_TOOK)
		take_took(spoken, text);
	else if (body->member == MEMBER_STATUS && text[0] == '2')
		body->succeeded++;
	else if (body->member == MEMBER_STATUS)
		body->failed++;
	if (spoken->has_took && is_search(spoken))
		body->is_read = false; /* nothing else of it is told */
}

static void take_begin(struct body *body, struct exchange_facts *facts)
{
	const struct json_scan *json = &body->json;
	bool is_object = json->objects >> json->depth & 1;

	if (json->depth == 1 && !is_object)
		body->batch_depth = 1;
	if (body->batch_depth && json->depth == 2 && is_object)
		body->objects++;
	if (body->member >= MEMBER_ERROR && !body->open) {
		body->open = body->member;
		body->open_depth = json->depth;
	} else if (body->open == MEMBER_ERRORS && facts->dialect) {
		text_of(facts)->dialect.error = "errors";
	}
	body->member = MEMBER_NONE;
}

/* The number of items is told when it is whole. */
static void take_end(struct body *body, struct exchange_facts *facts)
{
	struct http_dialect_facts *spoken = &text_of(facts)->dialect;

	if (!body->open || body->json.depth >= body->open_depth)
		return;
	if (body->open == MEMBER_ITEMS && facts->dialect) {
		spoken->items_succeeded = body->succeeded;
		spoken->items_failed = body->failed;
	}
	body->open = MEMBER_NONE;
}

static void cut(struct body *body, struct exchange_facts *facts)
{
	body->is_cut = true;
	facts->outcomes |= 1ull << PARSE_BODY_UNREAD;
}

/* Returns false when nothing more is to be had. */
static bool take_event(struct http_dialect_reader *reader, enum message_side side,
		       enum json_event event, struct exchange_facts *facts)
{
	struct body *body = &reader->sides[side];

	switch (event) {
	case JSON_MORE:
		return false;
	case JSON_BROKEN:
		cut(body, facts);
		return false;
	case JSON_KEY:
		take_key(reader, side, body);
		return true;
	case JSON_CHAR:
		graphql_take(&reader->document, body->json.character);
		return true;
	case JSON_STRING:
		take_string(reader, body, facts);
		break;
	case JSON_SCALAR:
		take_scalar(body, facts);
		break;
	case JSON_BEGIN:
		take_begin(body, facts);
		return true;
	case JSON_END:
		take_end(body, facts);
		break;
	}
	body->member = MEMBER_NONE;
	return true;
}

void http_dialect_take(struct http_dialect_reader *reader, enum message_side side,
		       const uint8_t *bytes, uint64_t length, struct exchange_facts *facts)
{
	struct body *body = &reader->sides[side];
	const uint8_t *end;

	if (!body->is_read || body->is_cut || !length)
		return;
	if (!bytes) {
		cut(body, facts);
		return;
	}
	body->has_bytes = true;
	end = bytes + length;
	while (body->is_read &&
	       take_event(reader, side, json_scan_next(&body->json, &bytes, end), facts))
		;
}

static void name_graphql(const struct http_dialect_reader *reader, struct exchange_facts *facts)
{
	const struct graphql_operation *operation =
		graphql_operation(&reader->document, reader->name);
	struct http_dialect_facts *spoken = speak(facts, HTTP_DIALECT_GRAPHQL);

	spoken->operation = operation ? operation->type : NULL;
	if (reader->name[0])
		name_copy(spoken->name, reader->name, strlen(reader->name));
	else if (operation)
		name_copy(spoken->name, operation->name, strlen(operation->name));
}

static void end_request(const struct http_dialect_reader *reader, const struct body *body,
			struct exchange_facts *facts)
{
	if (body->has_method) {
		name_copy(speak(facts, HTTP_DIALECT_JSONRPC)->name, reader->name,
			  strlen(reader->name));
	} else if (body->has_query || (body->has_persisted_query && reader->name[0])) {
		name_graphql(reader, facts);
	}
	if (body->objects > 1 && facts->dialect)
		facts->outcomes |= 1ull << PARSE_SEVERAL_STATEMENTS;
}

void http_dialect_end(struct http_dialect_reader *reader, enum message_side side,
		      struct exchange_facts *facts)
{
	struct body *body = &reader->sides[side];
	bool is_whole = json_scan_is_over(&body->json) || !body->has_bytes;

	if (!body->is_read)
		return;
	body->is_read = false;
	if (side == SIDE_REQUEST)
		end_request(reader, body, facts);
	if (!is_whole && !body->is_cut)
		cut(body, facts);
}
