/* SPDX-License-Identifier: Apache-2.0 */
/* A protocol cuts the bytes of one connection into messages. One file and one row of protocol_table.c each.
 * Pure: bytes in, steps and facts out; which answer belongs to which request is the caller's business. */
#ifndef SONDE_PROTOCOL_PROTOCOL_H
#define SONDE_PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/facts.h"
#include "protocol/trace_context.h"

/* What the first bytes of a turn say; at most SNIFF_MAX of them are shown. */
enum sniff_result {
	SNIFF_NO,
	SNIFF_MORE,	/* could be, too few bytes */
	SNIFF_REQUEST,	/* likely requests: who sends them is the client */
	SNIFF_RESPONSE, /* likely answers: the requests were not seen */
	SNIFF_EITHER,	/* likely this protocol, but of either side */
};
#define SNIFF_MAX 32

enum message_side {
	SIDE_REQUEST,
	SIDE_RESPONSE,
	SIDE_COUNT,
};

/* The next bytes of one side, in order and without gaps. A parser takes what it uses off the front. */
struct protocol_run {
	const uint8_t *bytes; /* NULL: not captured, only how many there were */
	uint64_t length;
	uint64_t time_ns; /* when the process moved them */
	uint32_t tid;	  /* the thread that did; 0: not known */
};

/* How the end of a message will show once its head is known. */
enum message_end {
	END_FRAMED,   /* by its length, whether the bytes are captured or not */
	END_LIKELY,   /* everything should be there; a short silence settles it */
	END_UNFRAMED, /* the framing was not captured: by the next turn, a tail, or a long silence */
	END_AT_CLOSE, /* when the connection ends */
};

/* Whose fault an answer says something was. */
enum message_fault {
	FAULT_NONE,
	FAULT_CLIENT,
	FAULT_SERVER,
};

struct message {
	uint64_t body_bytes;
	uint8_t end;	   /* enum message_end */
	uint8_t fault;	   /* enum message_fault; attribute ERROR_TYPE then says which */
	bool is_interim;   /* another answer to the same request follows */
	bool opens_tunnel; /* what follows is not this protocol */
	bool is_one_way;   /* a request that is not answered; known by its end */
	bool is_quiet;	   /* a request that silence may answer: STEP_SILENT; known by its head */
	bool is_left_unread; /* a request of which servers leave the end unread, as a rule; known by its head */
};

#define FACTS_TEXT_MAX 400
/* What an answer says of rows. */
enum rows_kind {
	ROWS_UNKNOWN, /* or none */
	ROWS_RETURNED,
	ROWS_AFFECTED,
};

/* What is known of a request and its answer. Filled by the parser, kept by the caller until both are over; it
 * does not move. */
struct exchange_facts {
	struct message sides[SIDE_COUNT];
	const char *attributes
		[ATTRIBUTE_COUNT]; /* static, or in `text`; HTTP_ROUTE is the caller's, which also bounds names of collections, destinations and groups */
	const struct protocol
		*successor; /* with opens_tunnel: what follows; NULL: nothing that we know */
	const struct protocol *dialect; /* spoken inside the messages (http_dialect.h); NULL: none */
	const char *message_type;	/* with STEP_MESSAGE: static */
	uint64_t outcomes;		/* odd things about it: bits 1 << enum parse_outcome */
	uint32_t note;			/* the protocol's own */
	uint64_t statement;   /* which one it is, literals apart; 0: not known, or no such thing */
	uint64_t value_bytes; /* of the longest value sent or got, when has_value */
	uint64_t rows;	      /* as rows_kind says */
	uint8_t rows_kind;    /* enum rows_kind */
	uint32_t reads;	      /* keys that a database looked up, as far as that is known */
	uint32_t read_hits;   /* of those, found */
	bool has_value;
	bool is_kind_unknown; /* so much was not seen that no metric can be chosen: it counts as partial */
	bool is_preparation; /* no request by itself: reported only when it failed */
	bool is_processing; /* what a client did with a message, from its delivery to its settlement */
	uint32_t messages_sent;	    /* to a broker, as far as that is known */
	uint32_t messages_consumed; /* from a broker */
	/* With STEP_EXCHANGE only: */
	bool is_untimed;	    /* it has no duration */
	uint8_t failure;	    /* enum parse_outcome */
	uint64_t start_ns;	    /* when it began */
	uint32_t tid;		    /* the thread whose call began it; 0: not known */
	struct trace_context trace; /* that the request says it is part of */
	struct message_contexts
		contexts; /* of what it carries; when all that is sent agrees, `trace` is that one */
	_Alignas(8) char text[FACTS_TEXT_MAX]; /* the protocol's own */
	struct trace_texts *
		trace_texts; /* the caller's, as far as `trace` says; NULL: nobody wants spans, and fields are not read */
};

_Static_assert(PARSE_OUTCOME_COUNT <= 64, "outcomes");

/* What a parser came to. */
enum protocol_step {
	STEP_MORE,     /* the run is used up */
	STEP_BEGIN,    /* the next byte is a message's first; it is not taken yet */
	STEP_HEAD,     /* what the message is, is known: facts are filled */
	STEP_END,      /* the message ended with the bytes taken so far */
	STEP_UNSEEN,   /* the bytes that say what the message is were not captured */
	STEP_NOT_MINE, /* what began with STEP_BEGIN is not this protocol */
	STEP_BROKEN,   /* it is, but breaks its rules: the position is lost */
	STEP_LOST, /* bytes that say where messages begin were not captured: the position is lost */
	STEP_PUSH, /* a message that was not begun and answers nothing ended */
	STEP_EXCHANGE, /* a request that the protocol paired with its answer by itself is over: facts are filled */
	STEP_SILENT, /* silence was the answer to the oldest request, which is_quiet: what comes next, and is not
			begun yet, answers a later one */
	STEP_MESSAGE, /* a message of a protocol without requests ended: message_type, body_bytes of its side, and
			 ERROR_TYPE when it says why the connection ends */
	STEP_APART, /* a whole message that was not begun, and whose pair is found by what it says: correlate/lookup.c */
	STEP_STRAY, /* a message that was not begun and answers a request that was not seen ended */
	/* Of protocols with streams only: */
	STEP_STREAM,  /* what comes next is of another stream: facts of its exchange are wanted */
	STEP_RESET,   /* the stream is over by an error, whatever was under way on it */
	STEP_REFUSED, /* streams above this one will not be answered */
	STEP_COUNT,
};

/* Things other than bytes that a side lives through. */
enum protocol_boundary {
	BOUNDARY_PROGRESS, /* a look at the last bytes moved: `tail` as in struct turn_summary */
	BOUNDARY_TURN,	   /* the other side began to speak */
	BOUNDARY_IDLE,	   /* nothing moved for as long as enum message_end asks for */
	BOUNDARY_CLOSE,	   /* nothing will follow */
	BOUNDARY_RESYNC, /* bytes were lost, the next one is a message's first: forget what was under way */
};

/* Of exchanges that interleave: which one a step is about. */
struct protocol_stream {
	uint32_t number;   /* rises with every new one; not 0 */
	const char *error; /* static: why, of STEP_RESET and STEP_REFUSED */
};

struct protocol {
	const char *name;	 /* protocol label: "http" … */
	unsigned mode;		 /* enum conn_mode: what it needs of the kernel */
	unsigned pipelined_mode; /* the same once requests come before answers; 0: no other */
	size_t state_bytes; /* of one connection, at most PROTOCOL_STATE_MAX, zeroed at first */

	/* NULL: it only succeeds another one on a connection, and its position once lost is lost for good. */
	enum sniff_result (*sniff)(const uint8_t *bytes, size_t length);

	/* Take bytes off the run until something is to be told. Call again until STEP_MORE, or STEP_END with
	 * an empty run; after other steps with an empty run too, as a message may end with its head.
	 *
	 * facts  after STEP_BEGIN those of the message begun; before, those of the oldest exchange that
	 *        waits for this side, or empty ones. The answer's parser reads the request's note there. */
	enum protocol_step (*parse)(void *state, enum message_side side, struct protocol_run *run,
				    struct exchange_facts *facts);

	/* Returns STEP_END when the message under way is over by that, else STEP_MORE. With none under way, nor an
	 * answer begun, only BOUNDARY_RESYNC is sure to be told. */
	enum protocol_step (*boundary)(void *state, enum message_side side,
				       enum protocol_boundary boundary, uint64_t tail);

	/* Read also what bodies say in these dialects (bits 1 << enum http_dialect). Returns false when that cannot be done.
	 * NULL: the protocol carries none. */
	bool (*set_dialects)(void *state, unsigned dialects);

	/* Only of a protocol that pairs answers with requests by itself, as they overtake each other: it has no steps but
	 * STEP_EXCHANGE, STEP_PUSH and failures, and finds its position by itself after a loss. Tells of one of those in flight,
	 * which is none any more, as STEP_EXCHANGE; STEP_MORE: there is none left.
	 *
	 * is_closed  the connection is over; else bytes of it were lost */
	enum protocol_step (*give_up)(void *state, bool is_closed, struct exchange_facts *facts);

	/* Free what the state owns, in whatever condition it is. NULL: it owns nothing. */
	void (*release)(void *state);

	/* Make and free what all its connections share; their state begins with a pointer to it, NULL where memory is short, which
	 * is there from the first call on. NULL: nothing. */
	void *(*shared_new)(void);
	void (*shared_free)(void **shared);

	/* Take a message that is known from one before it, in one go: what parse would tell of it as STEP_BEGIN, STEP_HEAD
	 * and STEP_END and nothing else is true when this returns. NULL: the protocol does not know messages again.
	 *
	 * bytes    the next ones of the side, `captured` of `length`; the message must have exactly that length
	 * facts    of a new exchange; for an answer those of the request, whole and unanswered
	 * Returns  false, with nothing done, when it is not such a message, or one is under way */
	bool (*take_known)(void *state, enum message_side side, const uint8_t *bytes,
			   size_t captured, uint64_t length, struct exchange_facts *facts);

	/* The stream of the newest STEP_BEGIN, STEP_STREAM, STEP_RESET or STEP_REFUSED of a side. After the first two parse is given
	 * the facts of that stream's exchange until it names another one; an answer may begin several times.
	 * NULL: the protocol has no streams, answers come in the order of the requests. */
	const struct protocol_stream *(*stream)(const void *state, enum message_side side);
};

#define PROTOCOL_STATE_MAX 528

/* Paths are kept up to this length; a longer one fills it. */
#define URL_PATH_MAX 255

/* Rows of protocol_table at most. */
#define PROTOCOLS_MAX 16
extern const struct protocol *const protocol_table[];
extern const size_t protocol_table_length;

extern const struct protocol protocol_http1;
extern const struct protocol protocol_http2;
extern const struct protocol protocol_postgresql;
extern const struct protocol protocol_redis;
extern const struct protocol protocol_memcached;
extern const struct protocol protocol_mysql;
extern const struct protocol protocol_websocket; /* after HTTP/1 */
extern const struct protocol protocol_amqp;
extern const struct protocol protocol_mongodb;
extern const struct protocol protocol_kafka;
extern const struct protocol protocol_fastcgi;
extern const struct protocol protocol_dns;

#endif
