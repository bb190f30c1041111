/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of event loops share: a process with one thread, which does all. */
#ifndef SONDE_TESTS_LOOP_SCENE_H
#define SONDE_TESTS_LOOP_SCENE_H

#include "join_scene.h"

#define LOOP 100u /* a process, and its only thread */

/* The first part of an answer; "hello" is the rest. */
#define OPEN "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

static inline void reads(struct wire *wire, const char *bytes)
{
	world_read(&world, wire, LOOP, bytes);
}

static inline void writes(struct wire *wire, const char *bytes)
{
	world_write(&world, wire, LOOP, bytes);
}

static inline bool is_told(const char *text)
{
	return strstr(world.log, text) != NULL;
}

#endif
