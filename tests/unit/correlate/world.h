/* SPDX-License-Identifier: Apache-2.0 */
/* Several connections of several threads at once, and the spans that the engine makes of what is said on them. */
#ifndef SONDE_TESTS_WORLD_H
#define SONDE_TESTS_WORLD_H

#include "correlate/engine.h"

#define WORLD_WIRES 80
#define WORLD_LOG_MAX 16384

/* One end of a connection. */
struct wire {
	struct conn_ref conn;
	struct turn_summary turn;
	uint32_t position[DIR_COUNT]; /* bytes moved so far */
	uint32_t tgid;
};

struct world {
	struct engine *engine;
	struct process_table *processes;
	uint64_t now_ns;
	uint8_t random;		  /* IDs are 1, 2, 3 … */
	uint64_t served_ns;	  /* what the newest request of a server took */
	uint64_t served_parts_ns; /* the same, part by part */
	struct wire wires[WORLD_WIRES];
	unsigned count;		 /* connections so far; the newest WORLD_WIRES can be used */
	char log[WORLD_LOG_MAX]; /* a line a span: "server /path join trace/span<parent [links]", with
				    "opening=300..2": begun 300 ms before the request, over 2 ms before it; "A=…" the same of a lookup; "from=2": 2 ms before it, without these;
				    "alone": metrics knew it before */
	size_t log_bytes;
};

/* with_spans: somebody wants them. Returns 0 or -ENOMEM. */
int world_open(struct world *world, bool with_spans);
void world_close(struct world *world);

/* A new connection's end of a process. Ports and addresses are nobody else's; world_connect_to: the other end's. */
struct wire *world_connect(struct world *world, enum conn_role role, uint32_t tgid);
struct wire *world_connect_to(struct world *world, const struct wire *end, enum conn_role role,
			      uint32_t tgid);

/* A thread moves bytes, in one call. */
void world_read(struct world *world, struct wire *wire, uint32_t tid, const char *bytes);
void world_write(struct world *world, struct wire *wire, uint32_t tid, const char *bytes);
void world_move(struct world *world, struct wire *wire, uint32_t tid, enum turn_dir dir,
		const void *bytes, size_t length);
/* The same, going on with what was read before, without an event: the connection's next one tells. */
void world_read_unseen(struct world *world, struct wire *wire, const char *bytes);
/* What the thread has published as it writes to the wire next. */
void world_publish(struct world *world, const struct wire *wire, uint32_t tid, uint8_t trace,
		   uint8_t span);
/* Which goroutine reads from the wire, or writes to it, next, and who waits for what it was handed; 0: nobody */
void world_go(struct world *world, const struct wire *wire, uint32_t tid, uint32_t goroutine,
	      uint32_t awaited_by);
/* The connection was established, or accepted, just now, and that took so long. */
void world_opened(struct world *world, const struct wire *wire, unsigned milliseconds);
/* The thread's connect, begun so long ago, has just failed; error 0: the process gave it up. */
void world_connect_fails(struct world *world, const struct wire *wire, uint32_t tid,
			 unsigned milliseconds, int error);
/* The process asks for a name's address, of that type, and is told; NULL: there is none. */
void world_resolve(struct world *world, uint32_t tgid, uint64_t socket, uint8_t type,
		   const uint8_t *address);
/* A thread of the process begins, by another one; 0: it has ended. */
void world_thread(struct world *world, uint32_t tgid, uint32_t tid, uint32_t by_tid);
void world_hang_up(struct world *world, struct wire *wire);
/* So many milliseconds without an event. */
void world_pause(struct world *world, unsigned milliseconds);

#endif
