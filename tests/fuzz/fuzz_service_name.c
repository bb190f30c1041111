/* SPDX-License-Identifier: Apache-2.0 */
/* Any exec event: the name is terminated, not empty, printable and well-formed. Input: five lengths, then the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "correlate/process.h"
#include "correlate/shown_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#define LENGTHS 10 /* bytes of the five lengths */

static uint16_t take_length(const uint8_t *at, size_t limit)
{
	return (uint16_t)((at[0] | at[1] << 8) % (limit + 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct event_process_exec exec = { .comm = "comm" };
	char name[SERVICE_NAME_MAX], shown[SERVICE_NAME_MAX];
	struct event event = { .header = &exec.header, .process_exec = &exec };

	if (length < LENGTHS)
		return 0;
	exec.path_bytes = take_length(bytes, PROCESS_PATH_MAX);
	exec.args_bytes = take_length(bytes + 2, PROCESS_ARGS_MAX);
	exec.service_name_bytes = take_length(bytes + 4, PROCESS_ENV_MAX);
	exec.resource_attributes_bytes = take_length(bytes + 6, PROCESS_ENV_MAX);
	exec.cgroup_bytes = take_length(bytes + 8, PROCESS_CGROUP_MAX);
	event.payload = bytes + LENGTHS;
	event.payload_bytes = length - LENGTHS;
	memset(name, 'x', sizeof(name));
	service_name_choose(&event, name);
	if (!memchr(name, '\0', sizeof(name)) || !name[0])
		abort();
	if (shown_text_copy(shown, sizeof(shown), name, strlen(name)) != strlen(name) ||
	    strcmp(name, shown) != 0)
		abort();
	return 0;
}
