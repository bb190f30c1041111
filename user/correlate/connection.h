/* SPDX-License-Identifier: Apache-2.0 */
/* A connection as the engine knows it, the exchanges under way on it, and the engine's own state. For the files
 * of this room only; others see engine.h. */
#ifndef SONDE_CORRELATE_CONNECTION_H
#define SONDE_CORRELATE_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "correlate/engine.h"
#include "correlate/pool.h"
#include "correlate/route.h"
#include "protocol/protocol.h"

/* Requests in flight on one connection and on all; more are counted as lost. */
#define PIPELINE_MAX 4096
#define IN_FLIGHT_MAX 65536

/* What is known of the span that an exchange will be; join.h. */
struct exchange_span {
	struct handling *own;	/* a server's: what calls made to answer it refer to */
	struct handling *cause; /* a client's: the request that it is made to answer */
	struct trace *trace;	/* counted, like the two above; NULL: none yet, or the own one's */
	struct candidates *candidates; /* owned: the requests one of which is the cause; NULL: none */
	struct loop_call *loop; /* owned: of an event loop, or whose other end this is; NULL: none */
	struct span_opening opening; /* of the connection, when this is its first */
	union {
		uint64_t read_ns; /* a client's: when the other end read it, if that is before it was seen to ask; else 0 */
		uint64_t got_ns; /* a server's, with `own`: the other end has read all of the answer; 0: not seen yet */
	};
	struct kept_lookups *lookups; /* owned: of its server, when this is a client's; NULL: none */
	struct handed_call *handed; /* owned: of a thread that has no request itself; NULL: it has */
	uint8_t span_id[SPAN_ID_BYTES];	       /* zeros: none yet, or the own one's */
	uint8_t parent_span_id[SPAN_ID_BYTES]; /* zeros: none */
	uint8_t join;	/* enum span_join, with a parent or SPAN_JOIN_HEADER */
	bool is_paired; /* with the exchange of the connection's other end */
	uint32_t part_reader; /* thread that has read a part of its answer, a client's; 0: none, or it is over */
	uint32_t part_no; /* which of all those it is, when there is one */
};

/* What a thread had used when a call of it returned. */
struct thread_use {
	uint64_t time_ns;
	struct thread_usage usage;
};

/* How long a thread was blocked while calls of its own were answered, all in all. */
struct thread_calls {
	uint64_t waited_ns;
	uint32_t tid; /* 0: none */
};

/* One that finds its place taken takes it: what the other has waited for is forgotten, and counts as blocked. */
#define CALLING_THREADS 4096

/* What a connection had come to when a call returned. */
struct tcp_mark {
	uint64_t time_ns;   /* 0: not known */
	uint64_t waited_ns; /* its newest bytes, until it read them */
	struct tcp_use use;
};

/* A connection that waited for accept. */
struct tcp_accepted {
	uint64_t conn_id; /* 0: none */
	uint64_t established_ns;
	uint64_t accepted_ns;
};

/* By hash; a newer one takes the place. */
#define ACCEPTED_SLOTS 4096

/* How things stood as the request's first byte was read, or written. */
struct exchange_begun {
	struct thread_use used;	      /* by the thread of that call */
	uint64_t waited_ns;	      /* by then, by that thread: struct thread_calls */
	struct tcp_mark tcp;	      /* of the connection */
	struct tcp_accepted accepted; /* the connection, of which it is the first; zero: not told */
};

/* A request and its answer, either of which may not have been seen (yet). */
struct exchange {
	struct exchange *next;
	struct exchange *previous; /* of a connection with streams */
	struct exchange *next_in_bucket;
	struct connection *connection; /* of a stream */
	uint32_t stream;	       /* 0: the protocol has none */
	uint64_t start_ns; /* request's first byte; of an answer that came first: its first byte */
	uint64_t end_ns;   /* answer's last byte */
	uint32_t tgid;	   /* whose call brought the request's first byte */
	uint32_t position; /* of that byte in its direction, as struct event_turn counts, when has_position */
	bool has_position;
	bool has_request; /* its first byte was seen */
	bool has_request_head;
	bool has_request_end;
	bool has_response;	/* its first byte was seen */
	bool has_response_head; /* of the final one */
	bool has_response_end;
	bool is_reported; /* only the rest of the request is still to come */
	uint8_t failure;  /* enum parse_outcome; PARSE_OK: none */
	bool has_figures; /* it is over: what it came to is in the place of how it began, of thousands in flight each word counts */
	union {
		struct exchange_begun begun;
		struct {
			struct request_usage usage;
			struct request_errors errors;
			struct request_tcp tcp_usage; /* when has_tcp_usage */
			bool has_tcp_usage;
		};
	};
	struct exchange_span span;
	struct exchange_facts facts;
};

enum connection_sync {
	SYNC_START,  /* what it speaks is not known */
	SYNC_PARSED, /* every byte goes to the protocol */
	SYNC_LOST,   /* waiting for a turn that starts with a request */
	SYNC_DONE,   /* nothing more to understand: no protocol we know, or a tunnel */
};

/* A connection's tunnel; tunnel.h. */
struct tunnel_state;

enum turn_use {
	TURN_IS_SNIFFED,
	TURN_IS_PARSED,
	TURN_IS_SKIPPED,
};

struct watch_link {
	struct watch_link *next;
	struct watch_link *prev;
};

/* First what every event looks at: with thousands of connections each line is far away. */
struct connection {
	struct table_node node;
	struct conn_ref ref;
	uint64_t touched_ns;		 /* when it was made the newest of the table */
	const struct protocol *protocol; /* NULL while unknown */
	struct exchange *oldest; /* owned: those that wait for an answer, or for the rest of it */
	struct exchange *newest;
	struct exchange *
		incoming; /* whose request is being read; owned when is_reported, else in the list */
	uint64_t last_ns;
	uint32_t turn_no;
	uint32_t tgid; /* of the newest call */
	uint32_t tid;  /* the same */
	uint16_t exchange_count;
	uint16_t held_calls;	/* of it, that join_handed.c or join_hold.c holds */
	uint8_t role;		/* enum conn_role */
	uint8_t sync;		/* enum connection_sync */
	uint8_t mode;		/* enum conn_mode, as the kernel was told */
	uint8_t wanted_mode;	/* the same, what the protocol needs now */
	uint8_t lone_turns;	/* until that is again what it needs without pipelining; 0: it is */
	uint8_t turn_use;	/* enum turn_use */
	uint8_t orphan_outcome; /* enum parse_outcome: what an answer without request is */
	uint8_t unrecognised_turns;
	uint8_t sniffed_bytes;
	bool is_role_guessed;
	bool is_peer_known; /* or that there is none */
	bool is_in_peers;
	bool is_gone;	      /* dropped: nothing finds it any more */
	bool is_peer_unsure;  /* another connection has the same addresses */
	bool has_dialects;    /* its bodies are read */
	bool is_pool_known;   /* or that it has none */
	bool was_recognised;  /* a message head was understood */
	bool was_lost;	      /* it was SYNC_LOST once */
	bool is_turn_late;    /* the event in hand is TURN_LATE or waits for one */
	bool had_stream_loss; /* streams may have begun unseen */
	bool had_late_write;  /* since the newest write turn */
	bool is_moved_unsure; /* turns were missed, or other bytes before the first */
	bool is_order_unsure; /* the turn may hold answers that were not seen */
	bool has_opening;     /* which the next request is to tell of */
	bool has_lookups;     /* the engine's table may hold some of it */
	uint8_t fed_dir;      /* enum turn_dir */
	uint32_t position
		[DIR_COUNT]; /* behind the newest event of each direction, as struct event_turn has it */
	uint32_t fed; /* the same, behind what the protocol was given of fed_dir; it holds until an event of the other one */
	uint64_t consumed;	      /* bytes of the turn under way that were looked at */
	struct turn_summary turn;     /* under way */
	uint64_t moved_ns[DIR_COUNT]; /* newest known call */
	struct table_node peer_node;  /* when is_in_peers; join_peer.c */
	struct connection *peer;      /* the other end, when that is here too; borrowed */
	uint64_t client_id; /* conn_id of the other end, which was connected but has not asked anything; 0: none is known */
	struct watch_link watch; /* in the engine's ring of watched connections; NULL: it is not */
	struct connection *next_spare;
	struct exchange *streaming
		[SIDE_COUNT]; /* whose message is being read, where there are streams; borrowed from the list */
	struct pool *pool;		   /* borrowed; NULL: in none */
	struct thread_use used[DIR_COUNT]; /* by the newest call of each direction */
	struct tcp_mark tcp[DIR_COUNT];	   /* of the newest one that told it */
	uint64_t requests;
	uint64_t asked_ns;	      /* of the newest ask_progress for this turn; 0: none */
	uint64_t closed_ns;	      /* 0: open */
	struct turn_summary progress; /* newest answer to ask_progress; calls 0: none, or used */
	char *socket_path; /* owned; of the Unix-domain socket that serves; NULL: TCP, or not known */
	uint32_t awaited_turn_no; /* a write turn that will come as TURN_LATE; 0: none */
	uint32_t ask_interval_ms;
	uint32_t first_stream; /* of a request that began under our eyes, since the newest loss; 0: none yet */
	uint32_t newest_stream;	     /* the same, whatever was lost */
	uint64_t moved[DIR_COUNT];   /* by turns that are over, unless is_moved_unsure */
	struct tunnel_state *tunnel; /* owned; NULL: none was opened */
	uint64_t late_consumed;	     /* bytes of the newest late write that were looked at */
	uint8_t sniffed[SNIFF_MAX];  /* first bytes of the turn, too few to say */
	uint8_t early[SNIFF_MAX];    /* the same of a turn that is over, of early_dir */
	uint8_t early_bytes;
	uint8_t early_dir;
	_Alignas(8) uint8_t state[PROTOCOL_STATE_MAX];
};

/* Exchanges of all streams by connection and number: as many as may be in flight come to 8 in each. */
#define STREAM_BUCKETS 8192

struct engine {
	struct table connections;
	struct exchange *streams[STREAM_BUCKETS];     /* borrowed from the connections' lists */
	struct thread_calls calls[CALLING_THREADS];   /* by hash */
	struct tcp_accepted accepted[ACCEPTED_SLOTS]; /* by hash */
	uint64_t accepted_evicted;
	struct watch_link
		watched; /* head of the ring of those that time must be told to, by next visit */
	struct exchange *spare_exchanges;     /* owned */
	struct connection *spare_connections; /* owned */
	size_t spare_exchange_count;
	size_t exchange_count; /* in flight */
	size_t spare_connection_count;
	size_t watched_count;
	struct process_table *processes; /* borrowed, lives longer */
	struct pools pools;
	struct route_table *routes;	  /* owned */
	struct route_table *collections;  /* owned: tables and their like, bounded as routes are */
	struct route_table *socket_paths; /* owned: the same of Unix-domain sockets */
	struct route_table *names;	  /* owned: ends of DNS names, the same */
	struct lookup_table *lookups;	  /* owned */
	struct join *join;		  /* owned; NULL: nobody wants spans */
	const struct observation_sink *sink; /* borrowed, lives longer */
	struct engine_feedback feedback;
	const struct dialect_rule *dialects; /* borrowed */
	size_t dialect_count;
	void *shared[PROTOCOLS_MAX]; /* owned: see struct protocol; NULL until there is a connection */
	uint64_t connections_evicted;
	uint64_t turns_missed;
	struct exchange_facts nobody; /* what parsers write of no exchange */
	struct exchange
		paired; /* what a protocol that pairs by itself tells of; cleared after each */
};

/* Make the table, which connections_done frees. Returns 0 or -ENOMEM. */
int connections_init(struct engine *engine, size_t limit);

/* Find the connection of an event, or NULL. ktime_ns: of the event */
struct connection *connection_find(struct engine *engine, const struct conn_ref *ref,
				   uint64_t ktime_ns);

/* Make one; the least recently used is given up when the table is full. NULL: out of memory. */
struct connection *connection_add(struct engine *engine, const struct conn_ref *ref);

/* Give the state of a connection whose protocol is known what all connections of that protocol share. */
void connection_share(struct engine *engine, struct connection *connection);

/* Forget what the protocol keeps of a connection. */
void connection_clear_state(struct connection *connection);

/* From now on this is spoken. */
void connection_succeed(struct engine *engine, struct connection *connection,
			const struct protocol *protocol);

/* Forget one. Its exchanges must have been settled. */
void connection_drop(struct engine *engine, struct connection *connection);
/* Free one that is gone, and of which nothing is held any more. */
void connection_put(struct engine *engine, struct connection *connection);

void connection_watch(struct engine *engine, struct connection *connection);
void connection_unwatch(struct engine *engine, struct connection *connection);

/* Tell the kernel what to ship of the connection, unless it knows. */
void connection_set_mode(struct engine *engine, struct connection *connection, enum conn_mode mode);

/* Requests without another one before them until the kernel is told that pipelining is over. */
#define LONE_TURNS 64

static inline void connection_note_lone(struct connection *connection)
{
	if (connection->lone_turns && !--connection->lone_turns && !connection->has_dialects)
		connection->wanted_mode = (uint8_t)connection->protocol->mode;
}

static inline bool connection_is_watched(const struct connection *connection)
{
	return connection->watch.next;
}

/* Which side of the protocol a direction carries; the role must be known. */
static inline enum message_side connection_side(const struct connection *connection, unsigned dir)
{
	return (connection->role == ROLE_SERVER) == (dir == DIR_READ) ? SIDE_REQUEST :
									SIDE_RESPONSE;
}

static inline unsigned connection_dir(const struct connection *connection, enum message_side side)
{
	return (connection->role == ROLE_SERVER) == (side == SIDE_REQUEST) ? DIR_READ : DIR_WRITE;
}

/* An exchange from the pool, zeroed but for its text; NULL: out of memory, or IN_FLIGHT_MAX is reached. */
struct exchange *conn_exchange_new(struct engine *engine);
void conn_exchange_free(struct engine *engine, struct exchange *exchange);

/* Free all memory of connections and pools. */
void connections_done(struct engine *engine);

#endif
