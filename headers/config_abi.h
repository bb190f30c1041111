/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Settings that user space writes before load, and the map keys and values both sides touch. */
#ifndef SONDE_CONFIG_ABI_H
#define SONDE_CONFIG_ABI_H

#include "event_abi.h"
#include "loss_reason.h"

/* Rings. Ring 0 carries process events and is read first; the others share connections by identity, so
 * that one connection's events stay in order. */
#define RING_PROCESS 0
#define RING_MAX 9 /* 1 + at most 8 connection shards */

/* The most payload one turn event carries; prefix_bytes may ask for less. Power of two. */
#define PREFIX_MAX 4096

/* A call of MODE_STREAM is sent in as many events as its bytes need, at most so many: 128 KiB. redis-server goes on
 * adding answers to one writev until it has 64 KiB (NET_MAX_WRITES_PER_EVENT), whole blocks each. */
#define STREAM_EVENTS_MAX 32

/* MODE_VALUES: a value whose length is written before it is left out when nothing follows it in the call and it is
 * at least so long, or when it fills an event of its own. */
#define VALUE_LEFT_OUT_MIN 256

/* Read-only data of the BPF objects, the same struct in each. */
struct bpf_settings {
	__u32 agent_tgid;	       /* never observed: our own scrapes are not traffic */
	__u32 shard_mask;	       /* connection shards - 1; shards are a power of two */
	__u32 prefix_bytes;	       /* captured of each turn, at most PREFIX_MAX */
	__u32 wake_bytes;	       /* ring fill at which the reader is woken before its timer */
	__u32 error_events_per_second; /* per process, to the ring; 0: none */
	__u32 count_expected_errors;   /* also EAGAIN, EINPROGRESS, EINTR, ERESTART* */
	__u32 streams_http; /* what begins as an HTTP/1 request is MODE_STREAM: bodies of some are wanted */
	__u32 unix_connections;	  /* at most so many of conn_by_sock */
	__u64 sample_interval_ns; /* TCP_SAMPLE at most this often per connection */
	__u32 tick_us;		  /* of the kernel's jiffies */
	__u32 tells_threads;	  /* where spans are wanted: THREAD */
	__u32 tells_waits;	  /* the scheduler's switches are looked at: thread_waits */
	__u32 _pad;
};

/* Errors that non-blocking I/O and signals bring all day; those from 512 on the process never sees. X(number, NAME) */
#define EXPECTED_ERRNOS(X)     \
	X(4, EINTR)            \
	X(11, EAGAIN)          \
	X(115, EINPROGRESS)    \
	X(512, ERESTARTSYS)    \
	X(513, ERESTARTNOINTR) \
	X(514, ERESTARTNOHAND) \
	X(515, ENOIOCTLCMD)    \
	X(516, ERESTART_RESTARTBLOCK)

/* What the kernel ships of a connection. User space decides after the first bytes. */
enum conn_mode {
	/* As MODE_MESSAGES until user space decides. A turn that begins as Redis, memcached, HTTP/2, PostgreSQL, Kafka or AMQP do makes
	 * it theirs at once: what comes next may be over before user space can decide. */
	MODE_SNIFF = 0,
	MODE_MESSAGES = 1, /* the first bytes of every turn */
	MODE_LENGTHS = 2,  /* nothing; turns and bytes are still counted */
	MODE_STREAM = 3,   /* every call, up to STREAM_EVENTS_MAX */
	MODE_VALUES = 4,   /* Redis, memcached: as MODE_STREAM, without long values */
	MODE_FRAMES =
		5, /* the same for PostgreSQL: messages say their type and length, rows are folded
			      (bpf/lib/frames.bpf.h) */
	/* From here on each call is looked through, as frames go on from one turn to the next. */
	MODE_HTTP2 = 6, /* every call, without payloads of DATA frames (bpf/lib/http2.bpf.h) */
	MODE_AMQP = 7,	/* every call, without the bodies of messages (bpf/lib/amqp.bpf.h) */
	MODE_COUNT = 8,
};

/* MODE_FRAMES, MODE_HTTP2, MODE_AMQP: where in a message the bytes of one direction are. */
struct conn_frames {
	__u32 left; /* of the message; while its header is read: what it says so far. MODE_SNIFF: all of a first call of four bytes */
	__u8 have;  /* bytes of the header */
	__u8 is_in_step;
	__u8 flags; /* MODE_HTTP2, MODE_AMQP: of the header that is being read */
	__u8 _pad;
};

/* Value of conn_by_sock (key: address of struct sock). Reading it while the connection moves is safe when
 * `turn.bytes` is read before `turn.last_ns`: the kernel side writes them the other way round. */
struct conn_state {
	__u64 conn_id;
	__u64 opened_ns;  /* client: SYN sent, then established; server: established; 0: unknown */
	__u64 sampled_ns; /* of the newest TCP_SAMPLE */
	__u64 bytes_sent; /* already added to the owner's process_state */
	__u64 bytes_received; /* the same */
	__u64 exchanges;      /* of the owner's, those not yet added to its process_state */
	struct conn_tuple tuple;
	struct turn_summary turn;
	__u32 turn_no;
	__u32 captured; /* of the newest turn; at prefix_bytes nothing more is copied */
	__u32 tgid; /* newest process seen to use it; before accept the one that listens; 0: unknown */
	union {
		__u32 write_seq; /* tcp_sock.write_seq that the writes seen so far explain */
		__u32 inode;	 /* AF_UNIX: with the address it names the socket for good */
	};
	__u32 late_bytes; /* of a write that has moved them but has not returned yet */
	union {
		__u32 late_turn_no; /* the number kept for that write */
		__u32 connect_tid;  /* while it connects: the thread that does */
	};
	__u8 role;	/* enum conn_role */
	__u8 flags;	/* enum conn_flags */
	__u8 mode;	/* enum conn_mode */
	__u8 tcp_state; /* TCP_ESTABLISHED … as in the kernel */
	__u16 ring;	/* index in rings */
	__u8 has_untold;
	__u8 _pad;
	__u32 position[DIR_COUNT];   /* bytes moved, low 32 bits */
	__u32 value_left[DIR_COUNT]; /* MODE_STREAM and above: bytes to come that nobody wants */
	struct conn_frames frames[DIR_COUNT];
	struct call_use untold; /* of the newest call, where no event has it: while has_untold */
};
_Static_assert(sizeof(struct conn_state) == 296, "conn_state is shared");

/* Bits of process_state.flags. */
enum process_flags {
	PROCESS_IGNORED = 1 << 0, /* not selected: its calls are not looked at */
};

/* Value of process_by_tgid. Counters only grow; what the table cannot hold is counted under tgid 0. */
struct process_state {
	__u64 start_ns; /* CLOCK_BOOTTIME; 0: not seen to start */
	__u64 connects[CONNECT_OUTCOME_COUNT];
	__u64 accepts;
	__u64 closes[ROLE_COUNT];
	__u64 exchanges[ROLE_COUNT]; /* turns from request to answer; its connections keep some back */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u64 retransmits;
	__u64 resets_sent;
	__u64 resets_received;
	__u64 compat_calls;   /* failed or tracked calls of 32-bit callers */
	__u64 limit_start_ns; /* of the running second of the error-event limiter */
	__u32 limit_count;
	__u32 flags; /* enum process_flags */
};
_Static_assert(sizeof(struct process_state) == 176, "process_state is shared");

/* How a thread finds its variable `otel_thread_ctx_v1`, or Go's of the goroutine it runs. */
enum thread_place_kind {
	THREAD_PLACE_STATIC = 1, /* at the thread pointer plus `offset` */
	THREAD_PLACE_GLIBC =
		2, /* at `offset` in the block that the thread's vector has for `module`; elements of two words */
	THREAD_PLACE_MUSL = 3,	    /* the same; elements of a word */
	THREAD_PLACE_GOROUTINE = 4, /* Go's: at the thread pointer plus `offset` */
	THREAD_PLACE_KIND_COUNT = 5,
};

/* Value of thread_places (key: tgid). */
struct thread_place {
	__s64 offset;
	__u32 module; /* from 1 */
	__u32 kind;   /* enum thread_place_kind */
};
_Static_assert(sizeof(struct thread_place) == 16, "thread_place is shared");

/* Modules that a thread's vector is looked into for. */
#define THREAD_MODULE_MAX 65536

/* Key of syscall_errors; the value is a __u64 count. */
struct syscall_error_key {
	__u32 tgid;
	__u16 nr;    /* as in event_syscall_error */
	__u16 error; /* positive errno */
};
_Static_assert(sizeof(struct syscall_error_key) == 8, "syscall_error_key is shared");

#define THREAD_ERROR_SLOTS 16384 /* power of two */

/* Value of thread_errors (key: tid modulo the slots): failed system calls of the thread that had the newest one. */
struct thread_errors {
	__u32 tid;    /* 0: none yet */
	__u32 count;  /* of all threads that had the slot */
	__u32 before; /* of those before this one */
	__u16 nr;     /* of the newest, as in event_syscall_error */
	__u16 error;  /* positive errno */
};
_Static_assert(sizeof(struct thread_errors) == 16, "thread_errors is shared");

#define THREAD_WAIT_SLOTS 16384 /* power of two */
/* After its thread's newest call a slot is kept for it for more than nearly all requests take. Else each short-lived process whose
 * number fits would spoil the request that the thread is at. */
#define THREAD_WAIT_KEPT_US 5000000u

/* Value of thread_waits (key: tid modulo the slots): what a thread that handles requests was blocked on. A wait is added when
 * what it spent in the run queue behind it is known: as the thread leaves its CPU again, or a call of it returns. */
struct thread_waits {
	__u32 tid;		     /* 0: none yet */
	__u32 owner;		     /* how many threads had the slot, this one included */
	__u64 waited_ns[WAIT_COUNT]; /* of all of them */
	__u64 out_ns;		     /* the newest wait began; 0: there is none to add */
	__u64 in_ns;		     /* the thread had a CPU again; 0: not yet */
	__u64 run_queue_ns;	     /* task_struct.sched_info.run_delay as it began */
	__u32 kind;		     /* enum thread_wait */
	__u32 called_ticks;	     /* low 32 bits of jiffies at its newest call */
};
_Static_assert(sizeof(struct thread_waits) == 72, "thread_waits is shared");

/* Value of listener_by_sock (key: address of struct sock). */
struct listener_state {
	__u32 tgid;
	__u32 drops;   /* SYNs and handshakes dropped since the socket was made, as `ss -m` shows */
	__u32 backlog; /* connections waiting for accept */
	__u32 backlog_max; /* the limit that listen asked for */
	__u32 first_drops; /* drops when sonde first saw it */
	__u16 port;
	__u16 family;
	__u8 addr[16];
};
_Static_assert(sizeof(struct listener_state) == 40, "listener_state is shared");

/* Sockets on one port, of several addresses or sharing one (SO_REUSEPORT), that are found by the port. */
#define LISTEN_SLOTS 8

/* Key of listener_by_port. */
struct listen_port_key {
	__u32 netns; /* inode */
	__u16 port;
	__u16 slot; /* below LISTEN_SLOTS */
};
_Static_assert(sizeof(struct listen_port_key) == 8, "listen_port_key is shared");

/* Value of listener_by_port. */
struct listen_port_owner {
	__u64 sock;
	__u32 tgid;
	__u16 family;
	__u16 _pad;
	__u8 addr[16]; /* as in listener_state; zero: any */
};
_Static_assert(sizeof(struct listen_port_owner) == 32, "listen_port_owner is shared");

/* Per-CPU counters of the kernel side. X(number, NAME, label, help) */
#define KERNEL_COUNTERS(X)                                                                   \
	X(0, CONN_TABLE_FULL, "conn_by_sock", "connections not tracked: the table was full") \
	X(1, PROCESS_TABLE_FULL, "process_by_tgid",                                          \
	  "processes counted under tgid 0: the table was full")                              \
	X(2, ERROR_TABLE_FULL, "syscall_errors",                                             \
	  "failed calls counted only in total: the table was full")                          \
	X(3, LISTENER_TABLE_FULL, "listener_by_sock",                                        \
	  "listening sockets not tracked: the table was full")                               \
	X(4, PAYLOAD_FAULT, "turn_payload",                                                  \
	  "first bytes of a turn not copied: the memory was not present")                    \
	X(5, LISTEN_PORT_FULL, "listener_by_port",                                           \
	  "listening sockets not found by their port: too many share it")                    \
	X(6, UNIX_FULL, "conn_by_sock_unix",                                                 \
	  "Unix-domain sockets not tracked: they had their share of the table")              \
	X(7, DATAGRAMS_BEYOND, "datagrams",                                                  \
	  "datagrams of one call not looked at: it moved more than DATAGRAMS_LOOK_MAX")      \
	X(8, THREAD_CONTEXT_FAULT, "thread_context",                                         \
	  "thread contexts not read: the memory was not present")                            \
	X(9, THREAD_ERRORS_TAKEN, "thread_errors",                                           \
	  "failed calls of a thread forgotten for another thread's: they share a slot")      \
	X(10, THREAD_WAITS_TAKEN, "thread_waits",                                            \
	  "what a thread was blocked on not told for another thread: they share a slot")

enum kernel_counter {
#define X(number, NAME, label, help) COUNTER_##NAME = number,
	KERNEL_COUNTERS(X)
#undef X
		KERNEL_COUNTER_COUNT = 11,
};

/* Value of event_counts (per CPU, key: enum event_kind). Produced is delivered plus lost. */
struct event_count {
	__u64 delivered;
	__u64 lost[LOSS_REASON_COUNT];
};
_Static_assert(sizeof(struct event_count) == 56, "event_count is shared");

/* What bpf/probe.bpf.c finds out. */
enum probe_answer {
	PROBE_UNKNOWN = 0,
	PROBE_PREEMPTION_OFF = 1, /* raw tracepoint programs run with preemption off */
	PROBE_PREEMPTION_ON = 2,
};

/* Argument of the control programs, run by user space with BPF_PROG_TEST_RUN. */
enum control_op {
	CONTROL_CONN_MODE = 1,	   /* key: sock, id: conn_id, value: enum conn_mode */
	CONTROL_PROCESS_FLAGS = 2, /* key: tgid, value: enum process_flags */
	CONTROL_LISTENER_READ = 3, /* key: sock: fill drops and backlog from the socket */
	CONTROL_CONN_RENEW =
		4, /* key: sock, id: conn_id: its process was ignored; begin anew, as found open */
	CONTROL_UNIX_CHECK =
		5, /* key: sock, id: conn_id: end the connection if the socket is dead */
	CONTROL_THREAD_PLACE =
		6, /* key: tgid, id: offset, value: module << 32 | kind; kind 0: remove */
};

#endif
