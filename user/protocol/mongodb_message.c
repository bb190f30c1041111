/* SPDX-License-Identifier: Apache-2.0 */
/* See mongodb_message.h. MongoDB manual, "MongoDB Wire Protocol"; BSON: bsonspec.org, version 1.1. */
#include "protocol/mongodb_message.h"

#include <string.h>

#include "protocol/mongodb_words.h"

enum bson_type {
	BSON_DOUBLE = 0x01,
	BSON_STRING = 0x02,
	BSON_DOCUMENT = 0x03,
	BSON_ARRAY = 0x04,
	BSON_REGEX = 0x0b,
	BSON_INT32 = 0x10,
	BSON_INT64 = 0x12,
	BSON_TYPES = 0x14,
};

/* How long a value is: so many bytes, and if it has a length, as many more as that says, which may count itself. */
static const struct {
	int8_t bytes;
	bool has_length;
	bool is_known;
} values[BSON_TYPES] = {
	[BSON_DOUBLE] = { 8, false, true },  [BSON_STRING] = { 4, true, true },
	[BSON_DOCUMENT] = { 0, true, true }, [BSON_ARRAY] = { 0, true, true },
	[0x05] = { 5, true, true }, /* binary */
	[0x06] = { 0, false, true },	     [0x07] = { 12, false, true },
	[0x08] = { 1, false, true },	     [0x09] = { 8, false, true },
	[0x0a] = { 0, false, true },	     [BSON_REGEX] = { 0, false, true },
	[0x0c] = { 16, true, true },	     [0x0d] = { 4, true, true },
	[0x0e] = { 4, true, true },	     [0x0f] = { 0, true, true },
	[BSON_INT32] = { 4, false, true },   [0x11] = { 8, false, true },
	[BSON_INT64] = { 8, false, true },   [0x13] = { 16, false, true },
};

#define BSON_MAX_KEY 0x7f
#define BSON_MIN_KEY 0xff
#define BSON_LENGTH_MAX (1u << 26)

struct cursor {
	const uint8_t *bytes;
	size_t left;
};

struct field {
	const char *key; /* ends with a zero */
	const uint8_t *value;
	size_t value_bytes; /* as many as are there */
	uint8_t type;
	bool is_whole;
};

static uint32_t le32(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static bool advance(struct cursor *cursor, size_t bytes)
{
	if (cursor->left < bytes)
		return false;
	cursor->bytes += bytes;
	cursor->left -= bytes;
	return true;
}

/* Take a text that ends with a zero; NULL: its end is not there. */
static const char *take_text(struct cursor *cursor)
{
	const char *text = (const char *)cursor->bytes;
	const uint8_t *end = cursor->left ? memchr(cursor->bytes, '\0', cursor->left) : NULL;

	if (!end)
		return NULL;
	(void)advance(cursor, (size_t)(end - cursor->bytes) + 1);
	return text;
}

/* The length of a value; SIZE_MAX: it is none, or does not say how long it is any more. */
static size_t value_length(struct cursor cursor, uint8_t type)
{
	size_t before = cursor.left;
	uint32_t length;

	if (type == BSON_REGEX)
		return take_text(&cursor) && take_text(&cursor) ? before - cursor.left : SIZE_MAX;
	if (type == BSON_MAX_KEY || type == BSON_MIN_KEY)
		return 0;
	if (type >= BSON_TYPES || !values[type].is_known)
		return SIZE_MAX;
	if (!values[type].has_length)
		return (size_t)values[type].bytes;
	if (cursor.left < 4)
		return SIZE_MAX;
	length = le32(cursor.bytes);
	return length <= BSON_LENGTH_MAX ? length + (size_t)values[type].bytes : SIZE_MAX;
}

/* Take a field of a document. Returns false at its end, or where what is there of it ends. */
static bool take_field(struct cursor *cursor, struct field *ret_field)
{
	uint8_t type = cursor->left ? *cursor->bytes : 0;
	struct field field = { .type = type };
	size_t length;

	if (!type)
		return false;
	(void)advance(cursor, 1);
	field.key = take_text(cursor);
	if (!field.key)
		return false;
	length = value_length(*cursor, type);
	field.is_whole = length <= cursor->left;
	field.value = cursor->bytes;
	field.value_bytes = field.is_whole ? length : cursor->left;
	(void)advance(cursor, field.value_bytes);
	*ret_field = field;
	return true;
}

/* A document's fields, whose length comes first. */
static struct cursor document_at(const uint8_t *bytes, size_t length)
{
	size_t size = length < 4 ? 0 : le32(bytes);

	if (size < 5)
		return (struct cursor){ bytes, 0 };
	return (struct cursor){ bytes + 4, (size < length ? size : length) - 4 };
}

/* The document that says what the message is, in an OP_MSG; others hold many documents at once. */
static struct cursor find_body(struct cursor sections)
{
	while (sections.left) {
		uint8_t kind = *sections.bytes;
		size_t size;

		(void)advance(&sections, 1);
		if (kind == 0)
			return document_at(sections.bytes, sections.left);
		size = sections.left < 4 || kind != 1 ? 0 : le32(sections.bytes);
		if (size < 4 || !advance(&sections, size))
			break;
	}
	return (struct cursor){ sections.bytes, 0 };
}

static bool is_text(const struct field *field)
{
	return field->type == BSON_STRING && field->is_whole && field->value_bytes > 5;
}

static void name_collection(const struct field *field, struct mongodb_request *request)
{
	if (!is_text(field))
		return;
	request->collection = field->value + 4;
	request->collection_bytes = field->value_bytes - 5; /* it ends with a zero */
}

/* The first field is the command, and its value the collection, but for a cursor, beside which it is told. */
static void read_command(struct cursor document, struct mongodb_request *request)
{
	struct field field;

	if (!take_field(&document, &field))
		return;
	request->command = mongodb_command_name(field.key);
	if (strcmp(request->command, "other") == 0)
		return;
	name_collection(&field, request);
	if (strcmp(request->command, "getMore") != 0)
		return;
	while (take_field(&document, &field))
		if (strcmp(field.key, "collection") == 0)
			name_collection(&field, request);
}

/* "database.collection"; commands have one of their own. */
static void read_query(struct cursor cursor, struct mongodb_request *request)
{
	const char *name, *dot;

	if (!advance(&cursor, 4))
		return;
	name = take_text(&cursor);
	dot = name ? strchr(name, '.') : NULL;
	if (!dot)
		return;
	if (strcmp(dot, ".$cmd") != 0) {
		request->command = "find";
		request->collection = (const uint8_t *)dot + 1;
		request->collection_bytes = strlen(dot + 1);
	} else if (advance(&cursor, 8)) {
		read_command(document_at(cursor.bytes, cursor.left), request);
	}
}

/* Messages of old clients, which servers since 5.1 refuse. */
static const char *old_command(uint32_t opcode)
{
	switch (opcode) {
	case MONGODB_UPDATE:
		return "update";
	case MONGODB_INSERT:
		return "insert";
	case MONGODB_DELETE:
		return "delete";
	case MONGODB_KILL_CURSORS:
		return "killCursors";
	default:
		return "getMore";
	}
}

void mongodb_request_read(uint32_t opcode, const uint8_t *bytes, size_t length,
			  struct mongodb_request *ret_request)
{
	struct cursor cursor = { bytes, length };

	*ret_request = (struct mongodb_request){ 0 };
	if (opcode == MONGODB_QUERY) {
		read_query(cursor, ret_request);
	} else if (opcode != MONGODB_MSG) {
		ret_request->command = old_command(opcode);
		ret_request->is_one_way = opcode != MONGODB_GET_MORE;
	} else if (advance(&cursor, 4)) {
		ret_request->is_one_way = le32(bytes) & MONGODB_MORE_TO_COME;
		read_command(find_body(cursor), ret_request);
	}
}

/* Returns false when it is no number, or not there. */
static bool read_number(const struct field *field, int64_t *ret_number)
{
	int64_t number = 0;
	double real;

	if (!field->is_whole)
		return false;
	if (field->type == BSON_INT32) {
		*ret_number = (int32_t)le32(field->value);
		return true;
	}
	if (field->type == BSON_DOUBLE) {
		memcpy(&real, field->value, sizeof(real));
		*ret_number = real > -1e9 && real < 1e9 ? (int64_t)real : INT32_MAX;
		return true;
	}
	if (field->type != BSON_INT64 && field->type != 0x08)
		return false;
	memcpy(&number, field->value, field->value_bytes);
	*ret_number = number;
	return true;
}

/* The code that a document holds; 0: none. */
static int64_t code_in(const struct field *document)
{
	struct cursor cursor = document_at(document->value, document->value_bytes);
	struct field field;
	int64_t code = 0;

	while (document->type == BSON_DOCUMENT && take_field(&cursor, &field))
		if (strcmp(field.key, "code") == 0 && read_number(&field, &code))
			break;
	return code;
}

/* The code of the first write that failed; 0: none did. */
static int64_t first_code_in(const struct field *array)
{
	struct cursor cursor = document_at(array->value, array->value_bytes);
	struct field first;

	return array->type == BSON_ARRAY && take_field(&cursor, &first) ? code_in(&first) : 0;
}

/* A command that did some of what it should says "ok", and what it could not do apart. */
static void read_outcome(struct cursor document, struct mongodb_answer *answer)
{
	int64_t ok = 1, code = 0, write_code = 0;
	struct field field;

	while (take_field(&document, &field)) {
		if (strcmp(field.key, "ok") == 0)
			answer->is_known = read_number(&field, &ok);
		else if (strcmp(field.key, "code") == 0)
			(void)read_number(&field, &code);
		else if (strcmp(field.key, "writeErrors") == 0)
			write_code = first_code_in(&field);
		else if (strcmp(field.key, "writeConcernError") == 0 && !write_code)
			write_code = code_in(&field);
	}
	answer->is_error = !ok || write_code;
	answer->is_known |= answer->is_error;
	answer->code = ok ? write_code : code;
}

/* OP_REPLY: flags, cursor, first and number of documents. */
#define REPLY_FIXED_BYTES 20
#define REPLY_QUERY_FAILED 2u

void mongodb_answer_read(uint32_t opcode, const uint8_t *bytes, size_t length,
			 struct mongodb_answer *ret_answer)
{
	struct cursor cursor = { bytes, length };

	*ret_answer = (struct mongodb_answer){ 0 };
	if (opcode == MONGODB_REPLY) {
		if (!advance(&cursor, REPLY_FIXED_BYTES))
			return;
		read_outcome(document_at(cursor.bytes, cursor.left), ret_answer);
		ret_answer->is_error |= (le32(bytes) & REPLY_QUERY_FAILED) != 0;
	} else if (opcode == MONGODB_MSG && advance(&cursor, 4)) {
		ret_answer->has_more = le32(bytes) & MONGODB_MORE_TO_COME;
		read_outcome(find_body(cursor), ret_answer);
	}
}
