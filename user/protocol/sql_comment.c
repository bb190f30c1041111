/* SPDX-License-Identifier: Apache-2.0 */
/* See sql_comment.h. */
#include "protocol/sql_comment.h"

#include <string.h>

#include "protocol/trace_words.h"

void sql_comment_init(struct sql_comment *comment)
{
	comment->length = 0;
	comment->is_traced = false;
}

void sql_comment_begin(struct sql_comment *comment)
{
	if (!comment->is_traced)
		comment->length = 0;
}

/* The first that names a trace is the one. */
void sql_comment_end(struct sql_comment *comment)
{
	static const char key[] = "traceparent=";

	comment->is_traced = memmem(comment->text, comment->length, key, sizeof(key) - 1) != NULL;
}

static bool read_escape(const uint8_t *digits, uint8_t *ret_byte)
{
	const struct trace_word word = { digits, 2 };

	*ret_byte = 0;
	return trace_word_hex(word, ret_byte, 1);
}

/* Percent-encoded, and a quote in it has a backslash in front. Returns the bytes of the value; it has no more than it came with. */
static size_t decode(struct trace_word value, uint8_t ret_text[SQL_COMMENT_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < value.length; i++) {
		uint8_t byte = value.at[i];

		if (byte == '%' && value.length - i > 2 && read_escape(value.at + i + 1, &byte))
			i += 2;
		else if (byte == '\\' && value.length - i > 1)
			byte = value.at[++i];
		ret_text[used++] = byte;
	}
	return used;
}

/* Take KEY='VALUE' off the text. */
static bool next_pair(struct trace_word *rest, struct trace_word *ret_key,
		      struct trace_word *ret_value)
{
	size_t at = 0;

	while (rest->length && memchr(" ,\t\n", rest->at[0], 4)) {
		rest->at++;
		rest->length--;
	}
	if (!trace_word_next(rest, '=', ret_key) || !rest->at || !rest->length ||
	    rest->at[0] != '\'')
		return false;
	for (at = 1; at < rest->length && rest->at[at] != '\''; at++)
		at += rest->at[at] == '\\';
	if (at >= rest->length)
		return false;
	*ret_value = (struct trace_word){ rest->at + 1, at - 1 };
	rest->at += at + 1;
	rest->length -= at + 1;
	return true;
}

void sql_comment_tell(const struct sql_comment *comment, struct trace_context *context,
		      struct trace_texts *texts)
{
	struct trace_word rest = { (const uint8_t *)comment->text, comment->length }, key, value;
	uint8_t text[SQL_COMMENT_MAX];

	if (!comment->is_traced)
		return;
	while (next_pair(&rest, &key, &value))
		if (trace_word_is(key, "traceparent") || trace_word_is(key, "tracestate"))
			trace_context_take(context, texts, key.at, key.length, text,
					   decode(value, text), false);
}
