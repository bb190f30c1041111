/* SPDX-License-Identifier: Apache-2.0 */
/* `dump conns 10` as words or as JSON. */
#include "serve/control_request.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

#define LIMIT_MAX 1000000

static const char *const verb_names[] = {
	[CONTROL_DUMP] = "dump",
	[CONTROL_STREAM] = "stream",
	[CONTROL_TOPICS] = "topics",
	[CONTROL_SET] = "set",
};
#define VERB_COUNT (sizeof(verb_names) / sizeof(verb_names[0]))

static void cleanup_json(json_t **json)
{
	json_decref(*json);
}

static int set_verb(struct control_request *request, const char *word, size_t length)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (length == strlen(verb_names[i]) && !memcmp(word, verb_names[i], length)) {
			request->verb = (enum control_verb)i;
			return 0;
		}
	return -ENOTSUP;
}

static int set_name(struct control_request *request, const char *word, size_t length)
{
	if (!length || length >= sizeof(request->name))
		return -EBADMSG;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)word[i]) && word[i] != '_' && word[i] != '-')
			return -EBADMSG;
	memcpy(request->name, word, length);
	request->name[length] = '\0';
	return 0;
}

static int set_limit(struct control_request *request, const char *word, size_t length)
{
	size_t limit = 0;

	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)word[i]))
			return -EBADMSG;
		limit = limit * 10 + (size_t)(word[i] - '0');
		if (limit > LIMIT_MAX)
			return -EBADMSG;
	}
	request->limit = limit;
	return 0;
}

static size_t next_word(const char **at, const char *end)
{
	const char *start;

	while (*at < end && (**at == ' ' || **at == '\t'))
		++*at;
	start = *at;
	while (*at < end && **at != ' ' && **at != '\t')
		++*at;
	return (size_t)(*at - start);
}

static int parse_words(const char *line, const char *end, struct control_request *request)
{
	const char *at = line;
	size_t length = next_word(&at, end);
	int error = set_verb(request, at - length, length);

	for (int position = 1; !error && (length = next_word(&at, end)) > 0; position++) {
		const char *word = at - length;

		if (position == 1)
			error = set_name(request, word, length);
		else if (length == strlen("json") && !memcmp(word, "json", length))
			continue; /* the only format there is */
		else
			error = set_limit(request, word, length);
	}
	return error;
}

static int parse_json(const char *line, size_t length, struct control_request *request)
{
	_cleanup_(cleanup_json) json_t *json =
		json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(json, "command"));
	const json_t *name = json_object_get(json, "topic");
	const json_t *limit = json_object_get(json, "limit");
	int error;

	if (!verb)
		return -EBADMSG;
	error = set_verb(request, verb, strlen(verb));
	if (!error && !name)
		name = json_object_get(json, "stream");
	if (!error && name)
		error = set_name(request, json_is_string(name) ? json_string_value(name) : "",
				 json_string_length(name));
	if (!error && limit) {
		if (!json_is_integer(limit) || json_integer_value(limit) < 0 ||
		    json_integer_value(limit) > LIMIT_MAX)
			return -EBADMSG;
		request->limit = (size_t)json_integer_value(limit);
	}
	if (!error && request->verb == CONTROL_SET)
		request->value = json_incref(json_object_get(json, "value"));
	return error;
}

static bool is_complete(const struct control_request *request)
{
	return (request->verb == CONTROL_TOPICS) == !request->name[0] &&
	       (request->verb == CONTROL_SET) == (request->value != NULL);
}

int control_request_parse(const char *line, size_t length, struct control_request *ret_request)
{
	struct control_request request = { 0 };
	int error;

	if (length && line[length - 1] == '\r')
		length--;
	if (length && line[0] == '{')
		error = parse_json(line, length, &request);
	else
		error = parse_words(line, line + length, &request);
	if (!error && !is_complete(&request))
		error = -EBADMSG;
	if (error)
		json_decref(request.value);
	else
		*ret_request = request;
	return error;
}
