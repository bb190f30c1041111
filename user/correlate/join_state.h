/* SPDX-License-Identifier: Apache-2.0 */
/* What join*.c share. For them only. */
#ifndef SONDE_CORRELATE_JOIN_STATE_H
#define SONDE_CORRELATE_JOIN_STATE_H

#include "correlate/join.h"

/* A trace that spans of ours are in. */
struct trace {
	struct trace *next_spare;
	uint32_t references;
	uint8_t id[TRACE_ID_BYTES];
	uint8_t flags;
	struct trace_probability probability; /* when it is not ours */
	bool is_ours;	 /* made up: the application's, once seen, takes its place … */
	bool is_told;	 /* … unless a span of it was told before */
	bool is_adopted; /* that has happened */
};

/* A server's request, from its first byte until its answer is over. */
struct handling {
	struct handling *older; /* on the same thread; next_spare when it is one */
	struct handling *newer;
	struct join_thread *thread;   /* borrowed; NULL: it is over, or nobody makes calls for it */
	struct join_process *process; /* borrowed; NULL: its answer has begun */
	struct trace *trace;	      /* counted; NULL: none yet */
	uint64_t start_ns;	      /* its first byte was read */
	uint64_t end_ns;	      /* its answer was over; 0: it is not, or was cut */
	uint32_t references;
	uint8_t span_id[SPAN_ID_BYTES];
	uint8_t caller_span_id[SPAN_ID_BYTES]; /* that the request names; zeros: none */
	struct join_request_id *request_id; /* counted; NULL: it has none, or there was no room */
	struct span_link late; /* the trace that a call named after a span of this one was told */
	bool has_late;
	bool is_answering;
	bool had_risky_call;		/* made while its process had other requests to answer */
	struct loop_call *loop_calls;	/* owned: guessed to be for it, newest first */
	struct handed_call *lone_calls; /* borrowed: made while its process had nothing else to do */
};

/* A call of a thread that has no request of its own. */
struct handed_call {
	struct handed_call *next; /* of the thread, newer */
	struct handed_call *held_older;
	struct handed_call *held_newer;
	struct handed_call *lone_next; /* of the request */
	struct handling *lone;	    /* borrowed: that its process had alone; NULL: none, or over */
	struct join_thread *thread; /* borrowed */
	struct exchange *exchange;  /* borrowed; owned when held */
	struct connection *connection; /* borrowed, where it is held: it is over; NULL: not yet */
	struct thread_use used;	       /* by the thread as it began … */
	uint64_t waited_ns;	       /* … in calls */
};

/* What a thread did last, as far as it is seen here. */
enum join_step {
	STEP_READ_SEVERAL, /* and wrote nothing in between; or nothing yet */
	STEP_READ_REQUEST, /* `current` is it */
	STEP_READ_ANSWER,  /* all of it, to a call guessed to be for `guessed`, if to any */
	STEP_READ_PART,	   /* the same, and there is more to come of it */
	STEP_READ_PARTS,   /* of several */
};

/* One end of a call. */
struct loop_end {
	struct exchange *exchange; /* borrowed; owned when it is over; NULL: not seen, or gone */
	struct connection *connection; /* borrowed, where it is over and held; NULL: not yet */
};

/* A call of an event loop that is guessed to be for a request, until that is known, or given up. */
struct loop_call {
	struct loop_call *next;	  /* of the request, older */
	struct loop_call *before; /* whose answer it followed; NULL: it followed the request */
	struct loop_call *older;  /* of those of which an end is over */
	struct loop_call *newer;
	struct handling *handling; /* counted */
	struct loop_end client;	   /* of no call but the request's own answer: none */
	struct loop_end server;
	struct loop_window *
		window; /* the answer's, owned; or of the answer that may follow this call's; NULL: none */
	uint64_t waits_since_ns; /* its first end was over; 0: none is */
	uint32_t followers;	 /* calls that name it as `before` */
};

/* The read in hand. */
struct join_reading {
	struct join_thread *thread;	 /* borrowed; NULL: it is none */
	const struct exchange *exchange; /* whose answer it is thought to be; to be compared only */
	struct handling *handling;	 /* borrowed: what that was called for; NULL: not known */
	struct loop_call *call;		 /* borrowed; NULL: none */
	uint64_t conn_id;
	bool is_whole;	 /* the answer is over */
	bool is_several; /* others' answers are there, too */
};

struct join_thread {
	struct table_node node;
	struct handling *newest; /* of those open that it read, borrowed */
	struct handling
		*current; /* whose data, or whose calls' data, it read last; NULL: anybody's */
	struct handling *guessed;    /* borrowed; NULL: none */
	struct loop_call *read_call; /* of it, whose answer was read; borrowed; NULL: none */
	uint64_t read_conn_id;
	uint64_t wrote_ns; /* when has_written was set last */
	struct loop_window *
		windows; /* owned by their answers: that wait for the end of answers that come in parts */
	uint32_t parts; /* answers of which it has read a part, and that are not known to be over */
	uint64_t acted_ns; /* when it last read or wrote what is looked at here */
	uint32_t tid;
	uint32_t tgid;
	uint8_t step;	  /* enum join_step: what it read last */
	bool has_written; /* since: a call, or the beginning of an answer */
	bool is_loop;	  /* it read a request while another one waited for its answer */
	bool is_reader;	  /* it has read a request */
	bool is_worker;	  /* it has made a call, of a process whose other threads read requests */
	bool was_sure;	  /* whose calls those were which it made for its newest answer */
	bool is_starter_sure;
	struct handling
		*starter; /* counted: what the thread that started it worked on; NULL: nothing */
	uint32_t call_count;
	uint32_t made; /* calls since it began its newest answer, whatever became of them */
	struct handed_call *calls; /* owned, newest first: made since it began an answer */
	struct handling *answered; /* counted: the newest of others' requests; NULL: none */
	uint64_t first_call_ns;	   /* of those, when there are any */
};

struct join_process {
	struct table_node node;
	uint32_t tgid;
	uint32_t waiting;     /* requests whose answer has not begun */
	uint32_t proven;      /* answered by the thread that read them, after a risky call */
	uint64_t answered_ns; /* when the newest answer began, or the newest request was given up */
	bool is_mixed;	      /* one was answered by another thread */
	bool has_goroutines;  /* and was seen to: they are its threads here */
	bool is_unruly;	      /* its threads keep to no role: join_handed.c */
	bool has_workers;     /* several threads answered what others had read */
	uint32_t worker;      /* who did last; 0: nobody */
	uint32_t started; /* threads that made calls, and ended in time; up to JOIN_STARTED_SHOWN */
	uint32_t chains; /* of event loops' calls, since one was another request's; up to JOIN_LOOP_SHOWN */
	uint32_t handed_in_vain; /* calls whose thread gave no answer in time */
	uint32_t reader;	 /* the thread that read the newest request */
	struct handling *lone; /* borrowed: the only request since it came; NULL: none, or several */
	uint64_t lone_quiet_ns; /* so long before it nothing happened */
	uint64_t called_ns;	/* when the newest call began */
	uint32_t lone_made;	/* calls since the lone request came */
	uint32_t lone_shown; /* such requests with calls, since a call was made for none; up to JOIN_LONE_SHOWN */
	bool has_lone_calls; /* whose threads were not known to work on such a request */
	bool was_lone_sure;  /* whose calls those were for the newest one */
};

struct candidates {
	size_t count;
	struct handling *handlings[SPAN_CANDIDATES_MAX]; /* counted */
};

/* What a thread had published as it wrote; the event of the write comes next on that connection. */
struct published {
	uint64_t conn_id; /* 0: none */
	uint64_t ktime_ns;
	uint32_t tid;
	bool is_used; /* its write has come */
	struct trace_context context;
};
#define PUBLISHED_SLOTS 256 /* by conn_id; power of two */

/* Which goroutine reads or writes; the event of that comes next on that connection. */
struct told_goroutine {
	uint64_t conn_id; /* 0: none */
	uint64_t ktime_ns;
	uint32_t tid;
	uint32_t goroutine;
	uint32_t awaited_by; /* 0: not known */
};
#define TOLD_GOROUTINES 256 /* by conn_id; power of two */

/* How a connection was opened, until its first request comes. */
struct opened {
	uint64_t conn_id; /* 0: none */
	uint64_t name;	  /* join_peer_name of its addresses */
	bool is_unsure;	  /* another one has the same */
	struct span_opening opening;
	uint32_t tgid; /* who connected, or accepted */
};
#define OPENED_SLOTS 4096 /* by name; power of two */

/* A finished lookup, until it is known what it was made for. */
struct kept_lookup {
	struct span_lookup told;
	uint64_t socket;
	uint32_t tgid; /* 0: another place has it */
	struct dns_addresses addresses;
};
struct kept_lookups {
	bool is_told;
	size_t count;
	struct kept_lookup items[SPAN_LOOKUPS_MAX];
};
#define KEPT_LOOKUPS 512 /* beyond, the oldest is told by itself (counted) */

/* Which call a served request is to be the answer to. */
struct unasked_key {
	uint64_t client_id; /* conn_id of the client's end */
	uint32_t number;    /* its stream, or the position of its first byte */
	bool is_stream;
};

/* A served request that is over, and of which the client has yet to be seen to ask it. */
struct unasked {
	struct table_node node;
	struct unasked *next_due; /* when it is in that list, no longer in the table */
	struct unasked_key key;
	struct exchange *exchange;    /* owned */
	struct connection connection; /* as it was when the request was over; owns nothing */
};
#define UNASKED_MAX 1024 /* beyond, the oldest is told without a parent (counted) */

/* A connect that failed, until the request is over that it may have been made for: the application may name its trace yet. */
struct failed_connect {
	struct conn_tuple tuple;
	uint64_t start_ns;
	uint64_t end_ns;
	uint32_t tgid;
	const char *error; /* lives for ever */
	struct exchange_span span;
};
#define FAILED_CONNECTS 256 /* beyond, the oldest is told at once (counted) */

struct join {
	struct table threads;		  /* owns its nodes */
	struct table processes;		  /* the same */
	struct handling *spare_handlings; /* owned */
	struct trace *spare_traces;	  /* owned */
	size_t spare_handling_count;
	size_t spare_trace_count;
	struct table request_ids; /* owns its nodes */
	struct opened opened[OPENED_SLOTS];
	struct kept_lookup kept[KEPT_LOOKUPS]; /* a queue, by time of the answer */
	size_t kept_first;
	size_t kept_count;
	struct failed_connect connects[FAILED_CONNECTS]; /* a queue, by when they failed */
	size_t connect_first;
	size_t connect_count;
	struct loop_call
		*loop_oldest; /* owned by their requests: of which an end is over, by when it was */
	struct loop_call *loop_newest;
	size_t loop_count;
	struct join_reading reading;
	uint32_t part_no;		   /* of the newest answer that came in parts */
	struct table habits;		   /* owns its nodes */
	struct handed_call *handed_oldest; /* owned: held, by when they were over */
	struct handed_call *handed_newest;
	size_t handed_count;
	struct table unasked; /* owns its nodes */
	struct unasked *due;  /* owned: the client's call is in hand */
	struct published published[PUBLISHED_SLOTS];
	struct told_goroutine goroutines[TOLD_GOROUTINES];
	const struct trace_context *context; /* of the write in hand, borrowed; NULL: none */
	struct exchange *asked;		     /* the newest request that it began; NULL: none */
	unsigned asked_count;
	struct table peers; /* connections by addresses, borrowed until they leave */
	struct join_figures figures;
	uint8_t of_instrumented; /* enum spans_of_instrumented */
};

/* Of its thread: none any more. */
void join_thread_leave(struct handling *handling);

/* Begin one on the thread; it may stay alone when tables are full. */
void join_thread_enter(struct join *join, struct handling *handling,
		       const struct connection *connection);

/* The goroutine that reads the end of a request's head works on it: before, and after what was read is taken in. Go's net/http waits
 * for the end of a connection in another one, which may read the first byte of the next request, and is somebody else then. */
void join_goroutine_read(struct join *join, const struct connection *connection);
void join_goroutine_has_read(const struct connection *connection);

/* The answer to it has begun, by a call of that thread; 0: it will have none. */
void join_thread_answer(struct handling *handling, uint32_t tid);

struct join_thread *join_thread_find(const struct join *join, uint32_t tgid, uint32_t tid);
/* Made, if need be. NULL: no room, or no memory. */
struct join_thread *join_thread_of(struct join *join, uint32_t tgid, uint32_t tid);
/* NULL: it has read no request, as far as is known. */
struct join_process *join_process_find(const struct join *join, uint32_t tgid);

/* The request that a call which the thread makes now is for; NULL: none, or one of ret_candidates. */
struct handling *join_thread_cause(const struct join *join, const struct join_thread *thread,
				   struct candidates *ret_candidates);

/* The same of one that it made then, with what came in between seen. */
struct handling *join_thread_cause_since(const struct join *join, const struct join_thread *thread,
					 uint64_t since_ns, struct candidates *ret_candidates);

/* It is for that request; or for one of these, when it is NULL. */
void join_take_cause(struct engine *engine, struct exchange_span *span, struct handling *cause,
		     const struct candidates *candidates);

/* Tell what need not wait. */
void join_connects_tick(struct engine *engine, uint64_t now_ns);

/* The exchange of the other end, of which this one, just begun, is sure to be the counterpart; else NULL. */
struct exchange *join_peer_exchange(struct engine *engine, struct connection *connection,
				    struct exchange *exchange);
void join_peer_leave(struct join *join, struct connection *connection);
/* A hash of the addresses, the same for IPv4 in IPv6. Two connections with the same 64 bits are not expected. */
uint64_t join_peer_name(const struct conn_tuple *tuple);
/* The exchange of a connection with that stream, or that begins with that byte, which has no counterpart yet; NULL: none. */
struct exchange *join_peer_asking(struct engine *engine, const struct connection *connection,
				  bool is_stream, uint32_t number);
int join_peers_init(struct join *join, size_t connections);
void join_peers_done(struct join *join);

/* The exchange has just begun: is it the first of its connection? */
void join_opening_take(struct engine *engine, struct connection *connection,
		       struct exchange *exchange);
/* conn_id of the connection with that name, when it was connected and nobody has asked anything on it; 0: none. */
uint64_t join_opening_find(const struct join *join, uint64_t name);
/* Both ends' exchanges of one request: the server's does not begin before the client's. */
void join_opening_pair(const struct exchange *client, struct exchange *server);
/* What is told of it, in the end. */
void join_opening_tell(const struct exchange_span *span, struct joined *joined);

/* Both ends' exchanges of one request. */
void join_pair(struct engine *engine, struct exchange *client, struct exchange *server);

/* Served requests whose client's call has yet to be seen. */
int join_unasked_init(struct join *join);
/* The client's exchange has just begun. */
void join_unasked_note(struct join *join, const struct connection *connection,
		       const struct exchange *exchange);
/* The call in hand is taken in. */
void join_unasked_tell(struct engine *engine, const struct connection *connection);
void join_unasked_tick(struct engine *engine, uint64_t now_ns);
/* Everything that waits for its client is told. */
void join_unasked_end(struct engine *engine);

/* Give an exchange the lookups that led to its connection. */
void join_lookups_claim(struct engine *engine, const struct connection *connection,
			struct exchange_span *span);
/* They were made for another exchange of the connection. */
void join_lookups_return(struct engine *engine, struct kept_lookups *lookups);
/* Those that are not told yet are told by themselves. */
void join_lookups_drop(struct engine *engine, struct exchange_span *span);
void join_lookups_tick(struct engine *engine, uint64_t now_ns);

/* X-Request-ID of requests that a process has to answer. */
int join_request_ids_init(struct join *join);
void join_request_ids_done(struct join *join);
/* The exchange has one: a server's may be asked for by it, a client's asks. */
void join_request_id_take(struct engine *engine, struct exchange *exchange);
void join_request_id_leave(struct join *join, struct handling *handling);

int join_threads_init(struct join *join);
void join_threads_done(struct join *join);

/* The call was made to answer that request; nothing happens when spans of both were told as of traces of their own. */
void join_give_cause(struct engine *engine, struct exchange_span *call, struct handling *cause);
/* NULL: out of memory. A reference is the caller's. */
struct trace *trace_new(struct join *join);
struct trace *trace_ref(struct trace *trace);
void trace_unref(struct join *join, struct trace **slot);
struct handling *handling_new(struct join *join);
struct handling *handling_ref(struct handling *handling);
void handling_unref(struct join *join, struct handling **slot);

/* Not all zeros. */
void join_make_id(struct engine *engine, uint8_t *ret_id, size_t bytes);
struct trace *trace_made_up(struct engine *engine);
/* The trace of a request, made up when nobody named it yet; borrowed. NULL: out of memory. */
struct trace *trace_of(struct engine *engine, struct handling *handling);
/* Make one trace of two: the other end of the call's connection may be in its one already. Returns false when both are fixed. */
bool join_unite(struct handling *handling, struct exchange_span *call);
/* The same of two that there are. */
bool join_unite_traces(struct trace *above, struct trace *below);

/* The thread is about to read something: what it read before is followed by nothing else. */
void join_loop_reads(struct engine *engine, struct join_thread *thread);
/* It has read a request, its `current` one. */
void join_loop_read_request(struct join_thread *thread, uint64_t conn_id);
/* It has read what is neither a request nor the answer to a call that is tracked. */
void join_loop_read_other(struct engine *engine, struct join_thread *thread, uint64_t conn_id);
/* It reads from a connection whose oldest exchange this is: before, and after the bytes are taken in. */
void join_loop_begin_read(struct engine *engine, struct join_thread *thread,
			  const struct connection *connection, const struct exchange *exchange);
void join_loop_end_read(struct engine *engine, const struct connection *connection);
/* An answer begins in these. */
void join_loop_answered(struct join *join, const struct exchange *exchange);
/* The call in hand is over: what its thread does next may tell whose it was. */
bool join_loop_may_follow(const struct join *join, const struct connection *connection,
			  const struct exchange *exchange);
/* A call begins. */
void join_loop_call(struct engine *engine, struct join_thread *thread,
		    const struct connection *connection, struct exchange *exchange);
/* Its other end was found. */
void join_loop_serve(struct exchange *client, struct exchange *server);
/* The thread begins the answer to that request. */
void join_loop_answer(struct engine *engine, struct join_thread *thread, struct exchange *answered,
		      uint64_t now_ns);
/* The call is for that request, and so are those before it. */
void join_loop_confirm(struct engine *engine, struct handling *handling, struct loop_call *call);
/* Whose call it was will not be known any more: report what is over of it. */
void join_loop_let_go(struct engine *engine, struct loop_call *call);
/* The same of all of a request. */
void join_loop_let_go_all(struct engine *engine, struct handling *handling);
void join_loop_forget(struct engine *engine, struct exchange *exchange);
/* The thread has read something of its answer. */
void join_part_note(struct join *join, struct join_thread *thread, struct exchange *exchange);
/* Nothing more will be read of it. connection NULL: or nobody knows when it was */
void join_part_end(struct engine *engine, const struct connection *connection,
		   struct exchange *exchange);
/* The thread begins that answer. Returns true when it may follow that of a call, which comes in parts: the answer and its calls then
 * wait until that is known. */
bool join_part_await(struct join_thread *thread, struct exchange *answered, uint64_t now_ns,
		     const struct join *join);
/* The thread has ended: nothing waits for what it reads. */
void join_part_leave(struct engine *engine, struct join_thread *thread);
/* The call, or the answer, is given up. */
void join_part_forget(struct loop_call *call);

/* The call is sure to be for that request; nothing happens when spans of both were told. */
void join_make_cause(struct engine *engine, struct exchange *call, struct handling *cause);
/* It may be, unless its parent is known. */
void join_add_candidate(struct exchange_span *call, struct handling *handling);

/* A call begins, of any thread. */
void join_handed_begin(struct engine *engine, struct connection *connection,
		       struct exchange *exchange);
/* It is over: returns true when it is held. */
bool join_handed_hold(struct engine *engine, struct connection *connection,
		      struct exchange *exchange);
/* Its answer is being read. */
void join_handed_read(struct engine *engine, const struct connection *connection,
		      const struct exchange *exchange);
/* The thread begins an answer. */
void join_handed_answer(struct engine *engine, struct join_thread *thread,
			struct exchange *answered);
void join_handed_forget(struct join *join, struct exchange *exchange);
void join_handed_tick(struct engine *engine, uint64_t now_ns);

/* The thread has ended: so have its calls. */
void join_handed_end(struct engine *engine, struct join_thread *thread);
void join_thread_gone(struct engine *engine, struct join_thread *thread);
/* The request that the thread was started for, as long as that has no answer; else NULL. */
struct handling *join_started_for(struct join *join, struct join_thread *thread);

/* The call waits no more: report it, if it is over. */
void join_handed_let_go(struct engine *engine, struct handed_call *call);

/* A request was read, of a process that has so many others to answer. */
void join_lone_enter(struct join_process *process, struct handling *handling, uint32_t tid);
/* A call begins in a process that reads requests. */
void join_lone_begin(struct join_process *process, uint64_t now_ns);
/* It waits for what becomes of the request that its process has alone, if of any, unless its thread was started for one. */
void join_lone_take(struct engine *engine, struct join_process *process, struct handed_call *call);
/* The answer to a request begins, by that thread; NULL: it is not known. */
void join_lone_answer(struct engine *engine, const struct exchange *answered,
		      const struct join_thread *thread, uint64_t now_ns);
/* It is not alone any more, or over: its calls have links to it. */
void join_lone_part(struct join_process *process);
/* The call is not waited for: it has a link. */
void join_lone_give_up(struct handed_call *call);
/* The call is forgotten. */
void join_lone_forget(struct handed_call *call);
/* Who makes a call has read nothing: all that its process has to answer may be what it works on. */
void join_lone_guess(struct join *join, const struct join_process *process,
		     struct exchange_span *span);

int join_habits_init(struct join *join);
void join_habits_done(struct join *join);
/* An answer took so many calls of its thread. Returns true when those of its route always take so many. */
bool join_habit_is_kept(struct join *join, const struct exchange *exchange, uint32_t calls);

/* A call that is sure to be for that request names a trace: a tracer's, or what was passed on. */
void join_note_call(struct engine *engine, uint32_t tgid, const struct handling *cause,
		    const struct trace_context *wire);
/* Whether a request is no span, its process being instrumented; span NULL: it has nothing to go by. */
bool join_is_left_out(const struct engine *engine, const struct process *process,
		      const struct exchange_span *span);
/* The same, of a call as far as it is known by now. */
bool join_may_have_children(struct engine *engine, const struct exchange *client);

/* The application's trace takes the place of one that we made up. probability NULL: not known */
void join_adopt(struct engine *engine, struct handling *cause, const struct trace_context *wire,
		const struct trace_probability *probability);
void join_drop_candidates(struct join *join, struct exchange_span *span);

/* The write in hand begins this request, or this answer. */
void join_context_note(struct join *join, struct exchange *exchange);
void join_context_answer(struct engine *engine, const struct connection *connection,
			 struct exchange *exchange);

#endif
