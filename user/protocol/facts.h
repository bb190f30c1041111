/* SPDX-License-Identifier: Apache-2.0 */
/* The names of what protocols know of requests, and of what can be odd about one. */
#ifndef SONDE_PROTOCOL_FACTS_H
#define SONDE_PROTOCOL_FACTS_H

/* Facts a protocol knows of a request; each is a label of some metric or an attribute of the span. Labels come first: requests that
 * have the same of them are of the same series.
 * X(NAME, label) */
#define LABELLED_ATTRIBUTES(X)                                            \
	X(HTTP_REQUEST_METHOD, "http_request_method")                     \
	X(HTTP_RESPONSE_STATUS_CODE, "http_response_status_code")         \
	X(HTTP_ROUTE, "http_route")                                       \
	X(NETWORK_PROTOCOL_NAME, "network_protocol_name")                 \
	X(RPC_SYSTEM_NAME, "rpc_system_name")                             \
	X(RPC_METHOD, "rpc_method")                                       \
	X(RPC_RESPONSE_STATUS_CODE, "rpc_response_status_code")           \
	X(DB_SYSTEM_NAME, "db_system_name")                               \
	X(DB_OPERATION_NAME, "db_operation_name")                         \
	X(DB_COLLECTION_NAME, "db_collection_name")                       \
	X(GRAPHQL_OPERATION_TYPE, "graphql_operation_type")               \
	X(GRAPHQL_OPERATION_NAME, "graphql_operation_name")               \
	X(DNS_QUESTION_NAME, "dns_question_name")                         \
	X(DNS_QUESTION_TYPE, "dns_question_type")                         \
	X(NETWORK_TRANSPORT, "network_transport")                         \
	X(MESSAGING_SYSTEM, "messaging_system")                           \
	X(MESSAGING_OPERATION_NAME, "messaging_operation_name")           \
	X(MESSAGING_DESTINATION_NAME, "messaging_destination_name")       \
	X(MESSAGING_CONSUMER_GROUP_NAME, "messaging_consumer_group_name") \
	X(ERROR_TYPE, "error_type")

#define ATTRIBUTES(X)                                           \
	LABELLED_ATTRIBUTES(X)                                  \
	X(HTTP_REQUEST_ID, "http_request_header_x_request_id")  \
	X(URL_PATH, "url_path")                                 \
	X(NETWORK_PROTOCOL_VERSION, "network_protocol_version") \
	X(DB_QUERY_TEXT, "db_query_text")

enum attribute {
#define X(NAME, label) ATTRIBUTE_##NAME,
	ATTRIBUTES(X)
#undef X
		ATTRIBUTE_COUNT,
	LABELLED_COUNT = ATTRIBUTE_HTTP_REQUEST_ID,
};

/* Why a request was not timed like the others, or what was odd about it. X(NAME, label, meaning) */
#define PARSE_OUTCOMES(X)                                                                        \
	X(OK, "ok", "request and answer understood")                                             \
	X(NOT_THIS_PROTOCOL, "not_recognised",                                                   \
	  "the connection's first bytes are no protocol we know")                                \
	X(HEADER_TRUNCATED, "header_truncated", "the header is longer than the captured prefix") \
	X(MALFORMED, "malformed", "bytes that break the protocol's rules")                       \
	X(EARLY_RESPONSE, "early_response", "answer before the request was complete")            \
	X(REQUEST_CUT, "request_cut", "the connection ended inside the request")                 \
	X(NO_RESPONSE, "no_response", "no answer began before the connection ended, or in time") \
	X(RESPONSE_CUT, "response_cut", "the connection ended inside the answer")                \
	X(HEAD, "head", "answer without a body, to HEAD")                                        \
	X(INTERIM, "interim", "1xx answers before the final one")                                \
	X(UPGRADE, "upgrade", "101: the connection speaks another protocol now")                 \
	X(CONNECT, "connect", "a tunnel was opened")                                             \
	X(PIPELINED, "pipelined", "a request sent before the one before was answered")           \
	X(PARTIAL, "partial", "began before sonde did")                                          \
	X(LOST, "lost", "an event of it was lost on the way")                                    \
	X(UNMATCHED_RESPONSE, "unmatched_response", "an answer without a request")               \
	X(ONE_WAY, "one_way", "a request that gets no answer: CLIENT REPLY OFF, noreply")        \
	X(PUSH, "push", "a message of the server that answers nothing: to subscribers")          \
	X(FEED, "feed", "the connection carries no requests from now on: MONITOR, replication")  \
	X(ENCRYPTED, "encrypted", "the connection is encrypted from now on")                     \
	X(COMPRESSED, "compressed", "what the connection carries is compressed from now on")     \
	X(STATEMENT_UNKNOWN, "statement_unknown",                                                \
	  "a statement prepared before sonde began, forgotten, or cut: its table is not known")  \
	X(ROWS_UNSEEN, "rows_unseen",                                                            \
	  "an answer of which not all was seen: how many rows it had is not known")              \
	X(HEADER_UNKNOWN, "header_unknown",                                                      \
	  "a field of the header is an entry of a table from before sonde began")                \
	X(STREAM_RESET, "stream_reset", "a stream that was over before its answer was whole")    \
	X(BODY_UNREAD, "body_unread",                                                            \
	  "a body that a dialect wanted to read was not captured whole, or is not JSON")         \
	X(SEVERAL_STATEMENTS, "several_statements",                                              \
	  "one request of several statements, named by the first")                               \
	X(TRUNCATED, "truncated", "an answer that asks to be asked for again over TCP")          \
	X(RETURNED, "returned", "a message that the broker gave back: it had nowhere to go")     \
	X(SEVERAL_DESTINATIONS, "several_destinations",                                          \
	  "one message about several topics, named by the first")                                \
	X(DESTINATION_UNKNOWN, "destination_unknown",                                            \
	  "a topic named by an id whose name was not seen")                                      \
	X(RECORDS_UNSEEN, "records_unseen",                                                      \
	  "how many records a message carries was not seen, or not of all")                      \
	X(RECORDS_COMPRESSED, "records_compressed",                                              \
	  "compressed records whose traces are not known: malformed, or more than is unpacked")  \
	X(RECORD_HEADERS_UNSEEN, "record_headers_unseen",                                        \
	  "records whose traces are not known, as not all of them was seen")                     \
	X(VERSION_UNKNOWN, "version_unknown",                                                    \
	  "a message of a newer version than sonde knows: only its name is read")

enum parse_outcome {
#define X(NAME, label, meaning) PARSE_##NAME,
	PARSE_OUTCOMES(X)
#undef X
		PARSE_OUTCOME_COUNT,
};

#endif
