/* SPDX-License-Identifier: Apache-2.0 */
/* One line of a control client, understood. Pure. */
#ifndef SONDE_SERVE_CONTROL_REQUEST_H
#define SONDE_SERVE_CONTROL_REQUEST_H

#include <jansson.h>
#include <stddef.h>

#define CONTROL_NAME_MAX 32

enum control_verb {
	CONTROL_DUMP,
	CONTROL_STREAM,
	CONTROL_TOPICS, /* what can be dumped and streamed */
	CONTROL_SET,
};

struct control_request {
	enum control_verb verb;
	char name[CONTROL_NAME_MAX]; /* empty with CONTROL_TOPICS */
	size_t limit;		     /* 0: not given */
	json_t *value;		     /* the caller's, with CONTROL_SET; else NULL */
};

/* line      without its newline; a carriage return at the end is not part of it
 * Returns   0; -EBADMSG when it is no request; -ENOTSUP for a command we do not know */
int control_request_parse(const char *line, size_t length, struct control_request *ret_request);

#endif
