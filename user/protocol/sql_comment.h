/* SPDX-License-Identifier: Apache-2.0 */
/* What sqlcommenter puts into a comment of a statement: KEY='VALUE',…, percent-encoded; of it the trace.
 * Source: sqlcommenter's specification, google.github.io/sqlcommenter/spec */
#ifndef SONDE_PROTOCOL_SQL_COMMENT_H
#define SONDE_PROTOCOL_SQL_COMMENT_H

#include "protocol/trace_context.h"

/* Looked at of a comment. */
#define SQL_COMMENT_MAX 512

/* The comment being read, or the one that names a trace. */
struct sql_comment {
	uint16_t length;
	bool is_traced;
	char text[SQL_COMMENT_MAX];
};

void sql_comment_init(struct sql_comment *comment);
void sql_comment_begin(struct sql_comment *comment);
void sql_comment_end(struct sql_comment *comment);

static inline void sql_comment_add(struct sql_comment *comment, uint8_t byte)
{
	if (!comment->is_traced && comment->length < SQL_COMMENT_MAX)
		comment->text[comment->length++] = (char)byte;
}

/* Give what the comment says of a trace to the context; texts NULL: nobody wants it. */
void sql_comment_tell(const struct sql_comment *comment, struct trace_context *context,
		      struct trace_texts *texts);

#endif
