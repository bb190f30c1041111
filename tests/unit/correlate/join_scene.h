/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of join*.c share: a world in which spans are wanted, and what is said in it. One program, one world. */
#ifndef SONDE_TESTS_JOIN_SCENE_H
#define SONDE_TESTS_JOIN_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "world.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_WITH(path, fields) "GET " path " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
/* Trace 0x…a1, span 0x…b2. */
#define TRACEPARENT "traceparent: 00-000000000000000000000000000000a1-00000000000000b2-01\r\n"

static struct world world;

static inline int setup(void **state)
{
	(void)state;
	return world_open(&world, true);
}

static inline int teardown(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

/* All that was told since the last time. */
static inline void expect(const char *expected)
{
	assert_string_equal(world.log, expected);
	world.log_bytes = 0;
	world.log[0] = '\0';
}

static inline struct join_figures figures(void)
{
	struct engine_stats stats;

	engine_stats_read(world.engine, &stats);
	return stats.join;
}

static inline struct wire *server(uint32_t tgid)
{
	return world_connect(&world, ROLE_SERVER, tgid);
}

static inline struct wire *client(uint32_t tgid)
{
	return world_connect(&world, ROLE_CLIENT, tgid);
}

#endif
