/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The events that kernel and user space exchange through the ring buffers, and that `sonde record`
 * writes to a file: types and numbers only.
 *
 * Times are CLOCK_MONOTONIC nanoseconds, read in the hook. Addresses are in network byte order, ports
 * in host byte order. Fields without an owner named are filled by the kernel side.
 *
 * Versions: 1 first. */
#ifndef SONDE_EVENT_ABI_H
#define SONDE_EVENT_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define EVENT_ABI_VERSION 1

/* X(number, KIND, struct and label name). Append only: recorded rings stay readable. */
#define EVENT_KINDS(X)                        \
	X(1, PROCESS_EXEC, process_exec)      \
	X(2, PROCESS_FORK, process_fork)      \
	X(3, PROCESS_EXIT, process_exit)      \
	X(4, TCP_CONNECT, tcp_connect)        \
	X(5, TCP_ACCEPT, tcp_accept)          \
	X(6, TCP_CLOSE, tcp_close)            \
	X(7, TCP_SAMPLE, tcp_sample)          \
	X(8, TURN, turn)                      \
	X(9, TURN_PROGRESS, turn_progress)    \
	X(10, SYSCALL_ERROR, syscall_error)   \
	X(11, UNIX_OPEN, unix_open)           \
	X(12, UNIX_CLOSE, unix_close)         \
	X(13, DATAGRAM, datagram)             \
	X(14, THREAD_CONTEXT, thread_context) \
	X(15, THREAD, thread)                 \
	X(16, GOROUTINE, goroutine)

enum event_kind {
#define X(number, KIND, name) EVENT_##KIND = number,
	EVENT_KINDS(X)
#undef X
		EVENT_KIND_COUNT = 17, /* one more than the highest number */
};

struct event_header {
	__u64 ktime_ns;
	__u32 tgid; /* the process, as user space names it; 0: none is known */
	__u16 kind; /* enum event_kind */
	__u16 size; /* header and body, bytes; what follows a struct is its payload. A ring's record may be longer */
};
_Static_assert(sizeof(struct event_header) == 16, "event_header is ABI");

/* Both ends of a connection as this machine's socket sees them. */
struct conn_tuple {
	__u8 local_addr[16];  /* network byte order; IPv4 uses the first 4 bytes */
	__u8 remote_addr[16]; /* the same */
	__u16 local_port;
	__u16 remote_port;
	__u16 family; /* AF_INET or AF_INET6; AF_UNIX: the rest is zero, UNIX_OPEN has the path */
	__u16 _pad;
};
_Static_assert(sizeof(struct conn_tuple) == 40, "conn_tuple is ABI");

/* Which side of the connection this socket is. */
enum conn_role {
	ROLE_UNKNOWN = 0, /* open before sonde started and not known from a listener */
	ROLE_CLIENT = 1,  /* it called connect */
	ROLE_SERVER = 2,  /* it came out of a listening socket */
	ROLE_COUNT = 3,
};

enum turn_dir {
	DIR_READ = 0,  /* the process took bytes from the socket */
	DIR_WRITE = 1, /* the process gave bytes to the socket */
	DIR_COUNT = 2,
};

/* Bits of `conn_flags`, kept per connection and copied into its events. */
enum conn_flags {
	CONN_PREEXISTING = 1 << 0, /* open before sonde started: what was said before is unknown */
	CONN_CLOSED = 1 << 1,	   /* TCP_CLOSE or UNIX_CLOSE has been produced */
	CONN_RESET_SENT = 1 << 2,
	CONN_RESET_RECEIVED = 1 << 3,
	CONN_PEER_ENDED = 1 << 4, /* with CONN_RESET_SENT in TCP_CLOSE: after the peer's FIN */
};

/* What an event says of its connection: enough to start from any of them after a loss. */
struct conn_ref {
	__u64 conn_id; /* unique while the machine is up */
	__u64 sock;    /* key of conn_by_sock, for asking the kernel back; 0 in recordings */
	struct conn_tuple tuple;
	__u8 role;  /* enum conn_role */
	__u8 flags; /* enum conn_flags */
	__u16 _pad;
	__u32 turn_no; /* of the newest turn, from 1; 0: no byte was moved yet */
};
_Static_assert(sizeof(struct conn_ref) == 64, "conn_ref is ABI");

/* A turn: the calls that move bytes in one direction, until the first one in the other. */
struct turn_summary {
	__u64 bytes;	/* moved so far in this turn */
	__u64 start_ns; /* return of its first call */
	__u64 last_ns;	/* return of its newest call */
	__u64 tail; /* the last up to 8 bytes moved, newest in the most significant byte; 0: not seen */
	__u32 calls;
	__u8 dir; /* enum turn_dir */
	__u8 _pad[3];
};
_Static_assert(sizeof(struct turn_summary) == 40, "turn_summary is ABI");

/* Bits of event_turn.turn_flags. */
enum turn_flags {
	TURN_CONTINUED = 1 << 0, /* not the turn's first call, or not the call's first part */
	TURN_NO_BYTES =
		1 << 1, /* nothing could be copied: sendfile, splice, or memory not present */
	TURN_LATE =
		1
		<< 2, /* a write that returned after the read that follows it; conn.turn_no is its own, the
				    turn under way is a later one */
	TURN_AWAITS_WRITE =
		1 << 3, /* a read with a write before it that has not returned: that one comes
				       as TURN_LATE and with this event's turn_no - 1 */
	TURN_HAS_USE =
		1
		<< 4, /* struct turn_figures stands between the struct and its payload; older recordings lack it */
	TURN_HAS_BEFORE =
		1
		<< 5, /* struct call_use of the newest call of the turn before, which no event of its own has told, stands
			      behind the payload, at the next multiple of 8 bytes */
};

/* What a thread can be blocked on, beyond what its calls to others say; struct thread_usage has them in this order. */
enum thread_wait {
	WAIT_LOCK = 0,	 /* a futex, a lock of a file, a System V semaphore */
	WAIT_DISK = 1,	 /* a block device: io_schedule(), and calls that write back */
	WAIT_SLEEP = 2,	 /* a time that it named itself */
	WAIT_MEMORY = 3, /* memory to be reclaimed */
	WAIT_COUNT = 4,
	WAIT_NONE = 4, /* or something else */
};

/* What the kernel has counted of a thread since it began, as a call of it returned. While a thread runs, on_cpu_ns and
 * exec_start_ns go up together, at ticks and when it leaves its CPU; while it does not, exec_start_ns does alone. So their
 * difference grows by the time off the CPU, exactly, as long as the thread stays on one CPU: each has a clock of its own. */
struct thread_usage {
	__u64 on_cpu_ns;     /* task_struct.se.sum_exec_runtime */
	__u64 exec_start_ns; /* task_struct.se.exec_start */
	__u64 run_queue_ns; /* task_struct.sched_info.run_delay, quota's throttling included; 0: not counted */
	__u64 throttled_ns; /* cfs_bandwidth.throttled_time of its cgroup and of the one above, of all their CPUs */
	__u32 migrations; /* to another CPU */
	__u32 tid;	  /* 0: nothing is known */
	__u32 voluntary_switches;
	__u32 involuntary_switches;
	__u32 minor_faults;
	__u32 major_faults;
	__u32 errors;	     /* failed system calls, as struct thread_errors counts them */
	__u32 errors_before; /* how many of these are not this thread's, or are forgotten */
	__u16 error_nr;	     /* the newest: as in event_syscall_error */
	__u16 error;	     /* positive errno */
	__u32 waits_owner; /* 0: `waited` is not known. Another number: it was somebody else's before, or meanwhile */
	__u32 waited[WAIT_COUNT]; /* in units of 1024 ns, modulo 2^32 */
};
_Static_assert(sizeof(struct thread_usage) == 88, "thread_usage is ABI");

/* What the kernel has counted of a connection since it began, modulo 2^32. Times move by ticks. */
struct tcp_use {
	__u32 retransmits;     /* segments sent again by this end */
	__u32 rwnd_limited_us; /* it had bytes to send, which the peer's window held back */
	__u32 sndbuf_limited_us; /* the same: its own send buffer, all of which awaited acknowledgement */
	__u32 srtt_us;		 /* smoothed, newest; 0: never measured */
};
_Static_assert(sizeof(struct tcp_use) == 16, "tcp_use is ABI");

/* What the thread that made a call had come to as it returned, and its connection. */
struct call_use {
	struct thread_usage thread;
	struct tcp_use tcp; /* all zero: no TCP */
};
_Static_assert(sizeof(struct call_use) == 104, "call_use is ABI");

struct turn_figures {
	struct call_use now;
	__u32 waited_ticks; /* since the newest bytes had come; of a read on TCP */
	__u32 tick_us;
};
_Static_assert(sizeof(struct turn_figures) == 112, "turn_figures is ABI");

/* A call that began a turn, or brought more of what is wanted of it. MODE_STREAM makes several events of a call, one
 * after the other: each counts its own part in `call_bytes`, in which bytes that nobody wants, or that were not captured,
 * follow the payload; all but the first are continuations. `turn` is the summary after the whole call; `prev` is the
 * finished summary of the turn before (with TURN_AWAITS_WRITE: of the one before that write), zero when there was none
 * or when this is a continuation. Payload: the first `captured` bytes that this call, or this part of it, moved. */
struct event_turn {
	struct event_header header;
	struct conn_ref conn;
	struct turn_summary turn;
	struct turn_summary prev;
	__u64 call_bytes; /* moved by this call, or this part of it */
	__u32 offset;	  /* of the payload from the start of the turn */
	__u32 tid;
	__u16 captured;	  /* payload bytes */
	__u16 turn_flags; /* enum turn_flags */
	__u32 position; /* bytes that the connection has moved in this direction before these, low 32 bits */
};
_Static_assert(sizeof(struct event_turn) == 184, "event_turn is ABI");

/* The state of the newest turn, when nothing else would tell: half-close, or user space asked (it then
 * reads the map and writes this event itself, so that a recording holds what it saw). Payload: struct call_use of its newest call, whose
 * tid is 0 where an event had it before; older recordings lack it. */
struct event_turn_progress {
	struct event_header header;
	struct conn_ref conn;
	struct turn_summary turn;
};
_Static_assert(sizeof(struct event_turn_progress) == 120, "event_turn_progress is ABI");

enum connect_outcome {
	CONNECT_ESTABLISHED = 0,
	CONNECT_REFUSED = 1,
	CONNECT_TIMEOUT =
		2, /* no answer until the kernel gave up, or until the process did after at
				least one SYN was sent again */
	CONNECT_UNREACHABLE = 3,
	CONNECT_RESET = 4,
	CONNECT_OTHER = 5,
	CONNECT_OUTCOME_COUNT = 6,
};

/* A connect that ended. ktime_ns is the end. */
struct event_tcp_connect {
	struct event_header header;
	struct conn_ref conn;
	__u64 start_ns; /* the SYN was sent; 0: it failed before one could be */
	__s32 error;	/* errno, 0 when established */
	__u32 outcome;	/* enum connect_outcome */
};
_Static_assert(sizeof(struct event_tcp_connect) == 96, "event_tcp_connect is ABI");

/* Payload of TCP_CONNECT, which older recordings lack. */
struct connect_caller {
	__u32 tid; /* the thread that called connect */
	__u32 _pad;
};
_Static_assert(sizeof(struct connect_caller) == 8, "connect_caller is ABI");

/* Payload of TCP_CLOSE and UNIX_CLOSE, which older recordings lack: bytes moved by direction, low 32 bits, as event_turn.position
 * counts them. struct call_use of the newest call follows as in event_turn_progress, which less old ones lack. */
struct close_positions {
	__u32 position[2]; /* by enum turn_dir */
};
_Static_assert(sizeof(struct close_positions) == 8, "close_positions is ABI");

/* accept returned a connection. */
struct event_tcp_accept {
	struct event_header header;
	struct conn_ref conn;
	__u64 established_ns; /* handshake done; 0: not seen */
};
_Static_assert(sizeof(struct event_tcp_accept) == 88, "event_tcp_accept is ABI");

struct tcp_stats {
	__u64 bytes_sent;     /* payload, retransmissions left out */
	__u64 bytes_received; /* in order, from the peer */
	__u32 srtt_us;	      /* smoothed; 0: never measured */
	__u32 min_rtt_us;     /* 0: never measured */
	__u32 retransmits;    /* segments, SYN included */
	__u32 _pad;
};
_Static_assert(sizeof(struct tcp_stats) == 32, "tcp_stats is ABI");

/* The process closed the connection, the peer reset it, or the socket died. Once for each. */
struct event_tcp_close {
	struct event_header header;
	struct conn_ref conn;
	struct turn_summary turn;
	struct tcp_stats stats;
	__u64 opened_ns; /* established; 0: before sonde started */
};
_Static_assert(sizeof(struct event_tcp_close) == 160, "event_tcp_close is ABI");

/* The same figures from the middle of a long connection. */
struct event_tcp_sample {
	struct event_header header;
	struct conn_ref conn;
	struct tcp_stats stats;
};
_Static_assert(sizeof(struct event_tcp_sample) == 112, "event_tcp_sample is ABI");

/* A system call that failed; rate-limited per process, the exact counts are in syscall_errors. */
struct event_syscall_error {
	struct event_header header;
	__u64 arg0; /* usually the descriptor */
	__u32 tid;
	__u16 nr;    /* architecture's number or SYSCALL_NR_BEYOND, with the bits below */
	__u16 error; /* positive errno */
};
_Static_assert(sizeof(struct event_syscall_error) == 32, "event_syscall_error is ABI");

/* The most of a Unix-domain socket's name: sun_path */
#define UNIX_PATH_MAX 108

/* A stream socket of AF_UNIX was connected, accepted, or used by somebody who did neither while we looked. Payload: the name
 * that the serving end is bound to, an abstract one with its leading NUL; empty for a pair. */
struct event_unix_open {
	struct event_header header;
	struct conn_ref conn;
	__u16 path_bytes;
	__u16 _pad[3];
};
_Static_assert(sizeof(struct event_unix_open) == 88, "event_unix_open is ABI");

/* Nothing more will be said on it, or it is found dead. ktime_ns is when that was noticed: no hook tells of the close itself. */
struct event_unix_close {
	struct event_header header;
	struct conn_ref conn;
	struct turn_summary turn;
	__u64 opened_ns; /* 0: before sonde started */
};
_Static_assert(sizeof(struct event_unix_close) == 128, "event_unix_close is ABI");

/* Of a datagram's payload: a header and a question whose name has the greatest length (RFC 1035: 12 + 255 + 4), whole words. */
#define DATAGRAM_CAPTURE_MAX 272

/* A datagram that looks like DNS was sent or received. Payload: its first `captured` bytes. With `bytes` 0: a call on a connected
 * socket has failed with ECONNREFUSED. */
struct event_datagram {
	struct event_header header;
	__u64 socket;		 /* inode number: names the socket while it is open */
	struct conn_tuple tuple; /* remote: the datagram's other end; port 0: the call did not tell */
	__u32 bytes;		 /* of the datagram */
	__u16 captured;		 /* payload bytes */
	__u8 dir;		 /* enum turn_dir */
	__u8 _pad;
};
_Static_assert(sizeof(struct event_datagram) == 72, "event_datagram is ABI");

/* What the thread published when it wrote: the TURN event of that call is the next one of this connection and thread. A record
 * that names no trace has no event. Source: OpenTelemetry enhancement proposal 4947. */
struct event_thread_context {
	struct event_header header;
	__u64 conn_id;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 valid; /* 1 */
	__u8 trace_flags;
	__u16 _pad;
	__u32 tid;
};
_Static_assert(sizeof(struct event_thread_context) == 56, "event_thread_context is ABI");

/* Which goroutine of a Go program moves bytes: the TURN event of that call is the next one of this connection and thread. A goroutine
 * has its number for as long as it lives, and no thread has it. */
#define GOROUTINE_BIT (1u << 31)
struct event_goroutine {
	struct event_header header;
	__u64 conn_id;
	__u32 tid;
	__u32 goroutine;
	__u32 awaited_by; /* the one that waits for what it was started for, or was handed; 0: none, or nobody knows */
	__u32 _pad;
};
_Static_assert(sizeof(struct event_goroutine) == 40, "event_goroutine is ABI");

/* A thread of a process began, by another one of it, or has ended; not its first one, nor its last. */
struct event_thread {
	struct event_header header;
	__u32 tid;
	__u32 by_tid; /* 0: it has ended */
};
_Static_assert(sizeof(struct event_thread) == 24, "event_thread is ABI");

#define SYSCALL_COMPAT_BIT 0x8000 /* a 32-bit caller's number */
#define SYSCALL_X32_BIT 0x4000	  /* an x32 caller's number, its own mark (bit 30) left out */
#define SYSCALL_NR_BEYOND 1024	  /* this number or any above: no kernel has them */

/* Sizes of the strings in a process_exec payload, terminating NUL not counted or sent. */
#define PROCESS_PATH_MAX 256
#define PROCESS_ARGS_MAX 512
#define PROCESS_ENV_MAX 256
#define PROCESS_CGROUP_MAX 256

/* Bits of event_process_exec.exec_flags. */
enum process_exec_flags {
	PROCESS_FOUND = 1 << 0, /* not an exec: user space found it running and wrote this event */
	PROCESS_ENV_PART = 1 << 1, /* the environment was longer than what was looked through */
};

/* A process began to run a program. Payload: path, arguments (separated by NUL), value of
 * OTEL_SERVICE_NAME, value of OTEL_RESOURCE_ATTRIBUTES, control group, in this order, by length. */
struct event_process_exec {
	struct event_header header;
	__u64 start_ns; /* start of the process, CLOCK_BOOTTIME: with tgid it names the process for good */
	__u32 parent_tgid;
	__u32 exec_flags; /* enum process_exec_flags */
	__u16 path_bytes;
	__u16 args_bytes;
	__u16 service_name_bytes;
	__u16 resource_attributes_bytes;
	__u16 cgroup_bytes;
	__u16 _pad[3];
	char comm[16];
};
_Static_assert(sizeof(struct event_process_exec) == 64, "event_process_exec is ABI");

/* A process (not a thread) was made by header.tgid. */
struct event_process_fork {
	struct event_header header;
	__u64 start_ns; /* of the child, CLOCK_BOOTTIME */
	__u32 child_tgid;
	__u32 _pad;
};
_Static_assert(sizeof(struct event_process_fork) == 32, "event_process_fork is ABI");

/* The last thread of a process ended. */
struct event_process_exit {
	struct event_header header;
	__u64 start_ns; /* CLOCK_BOOTTIME */
};
_Static_assert(sizeof(struct event_process_exit) == 24, "event_process_exit is ABI");

#endif
