/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations of real clients with a real server, as they went over the wire. */
#ifndef SONDE_TESTS_POSTGRESQL_TALKS_H
#define SONDE_TESTS_POSTGRESQL_TALKS_H

#include <stddef.h>

/* Bytes of one side, until the other one spoke. */
struct talk_piece {
	char side; /* 'Q' or 'A'; 0: the end */
	size_t length;
	const char *bytes;
};

enum postgresql_talk {
	TALK_SIMPLE,   /* psql, through the question for encryption */
	TALK_COPY,     /* psql */
	TALK_REFUSED,  /* psql, no such database */
	TALK_PREPARED, /* pgbench -M prepared */
	TALK_PIPELINE, /* pgbench, \\startpipeline */
	TALK_PSYCOPG,  /* psycopg 3: pipelines, one with an error, COPY by Execute */
	TALK_ASYNCPG,  /* asyncpg: a cursor by rows */
	TALK_CANCEL,   /* psycopg2, cancelled */
	TALK_CANCEL_B, /* … the cancelling */
	TALK_PG8000,   /* pg8000: Flush instead of Sync */
	TALK_COUNT,
};

extern const struct talk_piece *const postgresql_talks[TALK_COUNT];

#endif
