/* SPDX-License-Identifier: Apache-2.0 */
/* Any line a client may send. What is understood means the same when it is said again in plain words. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/control_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static int say_again(const struct control_request *request, struct control_request *ret_again)
{
	static const char *const verbs[] = { "dump", "stream", "topics" };
	char line[128];

	if (request->verb == CONTROL_TOPICS)
		snprintf(line, sizeof(line), "topics");
	else if (request->limit)
		snprintf(line, sizeof(line), "%s %s %zu", verbs[request->verb], request->name,
			 request->limit);
	else
		snprintf(line, sizeof(line), "%s %s", verbs[request->verb], request->name);
	return control_request_parse(line, strlen(line), ret_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct control_request request = { 0 }, again = { 0 };

	if (control_request_parse((const char *)bytes, length, &request) < 0)
		return 0;
	if (request.verb == CONTROL_SET) { /* has no plain words */
		json_decref(request.value);
		return 0;
	}
	if (say_again(&request, &again) < 0 || again.verb != request.verb ||
	    strcmp(again.name, request.name) != 0)
		abort();
	if (request.verb != CONTROL_TOPICS && again.limit != request.limit)
		abort();
	return 0;
}
