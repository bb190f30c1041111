/* SPDX-License-Identifier: Apache-2.0 */
/* Source: OpenTelemetry semantic conventions 1.37: names of HTTP, database, RPC and messaging spans. */
#include "correlate/span_name.h"

#include <stdio.h>
#include <string.h>

const char *span_two_words(struct arena *arena, const char *first, const char *second)
{
	size_t bytes;
	char *text;

	if (!second || !second[0])
		return first;
	bytes = strlen(first) + strlen(second) + 2;
	text = arena_take(arena, bytes);
	if (!text)
		return first;
	snprintf(text, bytes, "%s %s", first, second);
	return text;
}

const char *span_name(const char *protocol, const char *const texts[ATTRIBUTE_COUNT],
		      struct arena *arena)
{
	const char *method = texts[ATTRIBUTE_HTTP_REQUEST_METHOD];

	if (texts[ATTRIBUTE_RPC_SYSTEM_NAME])
		return texts[ATTRIBUTE_RPC_METHOD] ? texts[ATTRIBUTE_RPC_METHOD] :
						     texts[ATTRIBUTE_RPC_SYSTEM_NAME];
	if (texts[ATTRIBUTE_DB_SYSTEM_NAME])
		return texts[ATTRIBUTE_DB_OPERATION_NAME] ?
			       span_two_words(arena, texts[ATTRIBUTE_DB_OPERATION_NAME],
					      texts[ATTRIBUTE_DB_COLLECTION_NAME]) :
			       texts[ATTRIBUTE_DB_SYSTEM_NAME];
	if (texts[ATTRIBUTE_MESSAGING_OPERATION_NAME])
		return span_two_words(arena, texts[ATTRIBUTE_MESSAGING_OPERATION_NAME],
				      texts[ATTRIBUTE_MESSAGING_DESTINATION_NAME]);
	if (method)
		return span_two_words(arena, strcmp(method, "_OTHER") == 0 ? "HTTP" : method,
				      texts[ATTRIBUTE_HTTP_ROUTE]);
	if (texts[ATTRIBUTE_DNS_QUESTION_NAME])
		return span_two_words(arena, "DNS", texts[ATTRIBUTE_DNS_QUESTION_TYPE]);
	return protocol;
}
