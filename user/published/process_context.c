/* SPDX-License-Identifier: Apache-2.0 */
#include "published/process_context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "published/process_memory.h"

#include "process_context.pb-c.h"

#define VERSION_FIRST 1
#define VERSION_LAST 2
#define PAYLOAD_MAX 65536
#define TRIES 3

typedef Opentelemetry__Proto__Processcontext__V1development__ProcessContext proto_process_context;
typedef Opentelemetry__Proto__Common__V1__KeyValue proto_key_value;

struct published_header {
	char signature[8];
	uint32_t version;
	uint32_t payload_bytes;
	uint64_t published_ns; /* CLOCK_BOOTTIME; 0: it is being changed */
	uint64_t payload;      /* address */
};
_Static_assert(sizeof(struct published_header) == 32, "published_header is others' ABI");

static void take_attribute(const proto_key_value *pair, struct process_context *context)
{
	if (strcmp(pair->key, "service.name") != 0 || !pair->value ||
	    pair->value->value_case !=
		    OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE)
		return;
	strncpy(context->service, pair->value->string_value, sizeof(context->service) - 1);
}

int process_context_parse(const uint8_t *payload, size_t bytes, struct process_context *ret_context)
{
	proto_process_context *message =
		opentelemetry__proto__processcontext__v1development__process_context__unpack(
			NULL, bytes, payload);

	if (!message)
		return -EBADMSG;
	*ret_context = (struct process_context){ 0 };
	for (size_t i = 0; message->resource && i < message->resource->n_attributes; i++)
		take_attribute(message->resource->attributes[i], ret_context);
	opentelemetry__proto__processcontext__v1development__process_context__free_unpacked(message,
											    NULL);
	return 0;
}

static int check_header(const struct published_header *header)
{
	if (memcmp(header->signature, "OTEL_CTX", sizeof(header->signature)) != 0)
		return -EBADMSG;
	if (header->version < VERSION_FIRST || header->version > VERSION_LAST)
		return -ENOTSUP;
	if (!header->published_ns)
		return -EAGAIN;
	return header->payload_bytes && header->payload_bytes <= PAYLOAD_MAX ? 0 : -EBADMSG;
}

/* The payload is whole when the header is the same before and after: who changes it sets the time to 0 meanwhile. */
static int read_once(const struct memory *memory, uint64_t at, struct process_context *ret_context)
{
	_cleanup_free_ uint8_t *payload = NULL;
	struct published_header header, after;
	int error = memory->read(memory->context, at, &header, sizeof(header));

	if (!error)
		error = check_header(&header);
	if (error)
		return error;
	payload = malloc(header.payload_bytes);
	if (!payload)
		return -ENOMEM;
	error = memory->read(memory->context, header.payload, payload, header.payload_bytes);
	if (!error)
		error = memory->read(memory->context, at, &after, sizeof(after));
	if (error)
		return error;
	if (memcmp(&header, &after, sizeof(header)) != 0)
		return -EAGAIN;
	return process_context_parse(payload, header.payload_bytes, ret_context);
}

int process_context_read(const struct memory *memory, uint64_t at,
			 struct process_context *ret_context)
{
	int error = -EAGAIN;

	for (unsigned i = 0; error == -EAGAIN && i < TRIES; i++)
		error = read_once(memory, at, ret_context);
	return error;
}

int process_context_find(uint32_t tgid, const struct mapped_files *files,
			 struct process_context *ret_context)
{
	struct memory memory = { process_memory_read, &tgid };
	uint64_t at = mapped_name_find(files, "OTEL_CTX");

	return at ? process_context_read(&memory, at, ret_context) : -ENOENT;
}
