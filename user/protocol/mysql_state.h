/* SPDX-License-Identifier: Apache-2.0 */
/* State of a MySQL or MariaDB connection, and what mysql.c, mysql_request.c and mysql_answer.c share. */
#ifndef SONDE_PROTOCOL_MYSQL_STATE_H
#define SONDE_PROTOCOL_MYSQL_STATE_H

#include <stdbool.h>

#include "protocol/protocol.h"
#include "protocol/sql_text.h"

/* Kept of a packet: the greeting's version is the longest that matters. */
#define MYSQL_BODY_MAX 72
#define MYSQL_HEADER_BYTES 4
/* A packet so long is continued by the next one. */
#define MYSQL_PACKET_MAX 0xffffffu

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

/* First byte of a request. Source: MariaDB and MySQL documentation, "Client/Server Protocol". */
enum mysql_command {
	COM_QUIT = 0x01,
	COM_INIT_DB = 0x02,
	COM_QUERY = 0x03,
	COM_FIELD_LIST = 0x04,
	COM_STATISTICS = 0x09,
	COM_PROCESS_KILL = 0x0c,
	COM_PING = 0x0e,
	COM_CHANGE_USER = 0x11,
	COM_BINLOG_DUMP = 0x12,
	COM_REGISTER_SLAVE = 0x15,
	COM_STMT_PREPARE = 0x16,
	COM_STMT_EXECUTE = 0x17,
	COM_STMT_SEND_LONG_DATA = 0x18,
	COM_STMT_CLOSE = 0x19,
	COM_STMT_RESET = 0x1a,
	COM_SET_OPTION = 0x1b,
	COM_STMT_FETCH = 0x1c,
	COM_BINLOG_DUMP_GTID = 0x1e,
	COM_RESET_CONNECTION = 0x1f,
	COM_LOGIN = 0xfe, /* ours: the client's answer to the greeting */
};

enum mysql_phase {
	PHASE_COMMANDS, /* and when the beginning was not seen */
	PHASE_GREETED,
	PHASE_LOGIN,
	PHASE_TLS, /* asked for: nothing more is readable */
};

enum mysql_place {
	MYSQL_IN_HEADER,
	MYSQL_IN_BODY,
	MYSQL_AT_PACKET, /* one is whole */
	MYSQL_IN_END,	 /* the message's end is to be told */
	MYSQL_IN_REST,	 /* where packets begin is not known until the other side speaks */
};

/* What the next packet of an answer is. */
enum mysql_expect {
	EXPECT_FIRST,
	EXPECT_COLUMNS,
	EXPECT_COLUMNS_END, /* an EOF packet, unless the client asked for none */
	EXPECT_ROWS,
	EXPECT_PARAMETERS,
	EXPECT_PARAMETERS_END,
	EXPECT_RESULTS, /* columns of a prepared statement */
	EXPECT_RESULTS_END,
};

enum mysql_eof {
	EOF_UNKNOWN,
	EOF_SENT,
	EOF_DEPRECATED,
};

struct mysql_side {
	uint32_t length; /* of the packet's body */
	uint32_t left;	 /* of it, to come */
	uint32_t columns;
	uint32_t results;
	uint8_t place;	/* enum mysql_place */
	uint8_t expect; /* enum mysql_expect */
	uint8_t header_bytes;
	uint8_t body_bytes; /* kept */
	bool has_begun;	    /* told, as has_head */
	bool has_head;
	bool is_unseen;	   /* bytes of the body that matter were not captured */
	bool is_continued; /* the packet goes on with what the one before began */
	uint8_t header[MYSQL_HEADER_BYTES];
	uint8_t body[MYSQL_BODY_MAX];
};

struct mysql_state {
	struct sql_plan_pool *pool; /* borrowed, shared by all connections; NULL: none */
	struct mysql_side sides[SIDE_COUNT];
	struct sql_plans *plans;    /* owned: prepared statements by number */
	struct sql_plan *newest;    /* held: prepared last, number not known yet */
	const char *system;	    /* static; what the greeting says it is */
	uint8_t phase;		    /* enum mysql_phase */
	uint8_t eof;		    /* enum mysql_eof */
	bool is_compressed;	    /* from the end of the login on */
	bool is_local_data;	    /* LOAD DATA LOCAL: the client sends a file */
	bool has_statement;	    /* the text under way began */
	bool has_plain_backslash;   /* as the server's status says: NO_BACKSLASH_ESCAPES */
	struct sql_text *statement; /* owned: the one under way; NULL: none yet */
};
_Static_assert(sizeof(struct mysql_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* One call of the parser. */
struct mysql_parse {
	struct mysql_state *state;
	struct mysql_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	struct message *message;
	enum message_side which;
};

/* Forget the message under way. */
void mysql_side_clear(struct mysql_side *side);

/* Prepare for the next packet. */
void mysql_packet_clear(struct mysql_side *side);

/* Take bytes of a header, of a body. Returns true when it is whole. */
bool mysql_take_header(struct mysql_parse *parse);
bool mysql_take_body(struct mysql_parse *parse);

/* Bytes of the body kept, little-endian; 0 when they are not there. */
uint32_t mysql_number(const struct mysql_side *side, size_t at, size_t bytes);

/* Bytes of a request's body that are about to be taken; NULL: not captured. */
void mysql_request_body(struct mysql_parse *parse, const uint8_t *bytes, size_t length);

/* One step at the place where the side is. */
enum protocol_step mysql_request_step(struct mysql_parse *parse);
enum protocol_step mysql_answer_step(struct mysql_parse *parse);

/* Do these last bytes of a turn end a result? See struct turn_summary. */
bool mysql_tail_ends(uint64_t tail);

#endif
