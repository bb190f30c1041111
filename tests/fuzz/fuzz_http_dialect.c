/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 whose bodies are read in all dialects; input as both_ways.h says. */
#include "both_ways.h"
#include "protocol/http_dialect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum protocol_step parse(void *state, enum message_side side, struct protocol_run *run,
				struct exchange_facts *facts)
{
	(void)protocol_http1.set_dialects(state,
					  1u << HTTP_DIALECT_JSONRPC | 1u << HTTP_DIALECT_GRAPHQL);
	return protocol_http1.parse(state, side, run, facts);
}

static enum protocol_step parse_search(void *state, enum message_side side,
				       struct protocol_run *run, struct exchange_facts *facts)
{
	(void)protocol_http1.set_dialects(state, 1u << HTTP_DIALECT_ELASTICSEARCH);
	return protocol_http1.parse(state, side, run, facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct protocol dialected = protocol_http1;

	dialected.parse = parse;
	both_ways(&dialected, data, size);
	dialected.parse = parse_search;
	both_ways(&dialected, data, size);
	return 0;
}
