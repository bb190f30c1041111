/* SPDX-License-Identifier: Apache-2.0 */
/* One row a signal; adding a hook is a row here and its entry in bpf/. Hooks are tried from left to right. */
#include "load/hook_table.h"

#include <string.h>

#include "config_abi.h"
#include "load/feature.h"

#include "control.skel.h"
#include "probe.skel.h"
#include "process.skel.h"
#include "sched.skel.h"
#include "syscall.skel.h"
#include "syscall_cast.skel.h"
#include "tcp.skel.h"
#include "tcp_context.skel.h"
#include "walk.skel.h"

/* tp_btf spares a helper call for each pointer; raw_tp asks less of the kernel's BTF. */
#define SOFTIRQ_HOOKS(base)                       \
	{                                         \
		{ "tp_btf", base "__tp_btf" },    \
		{                                 \
			"raw_tp", base "__raw_tp" \
		}                                 \
	}
/* The dearest comes first only where the kernel preempts the others. */
#define PROCESS_HOOKS(base)                                                   \
	{                                                                     \
		{ "tp_btf", base "__tp_btf" }, { "raw_tp", base "__raw_tp" }, \
			{ HOOK_UNPREEMPTED, base "__tp" },                    \
	}

const struct signal_row hook_table[] = {
	{ "system_calls", "syscall", "sys_exit", "request timings and system-call errors",
	  PROCESS_HOOKS("exit") },
	{ "tcp_state", "tcp", "inet_sock_set_state",
	  "connections being made, half-closed and closed by the process, listeners",
	  PROCESS_HOOKS("state") },
	{ "tcp_established", "tcp", "inet_sock_set_state",
	  "connect latency and outcome, accept-queue wait, connections ended by the peer",
	  SOFTIRQ_HOOKS("peer") },
	{ "tcp_destroy", "tcp", "tcp_destroy_sock",
	  "room in the connection table: entries stay until evicted", SOFTIRQ_HOOKS("destroy") },
	{ "tcp_retransmit", "tcp", "tcp_retransmit_skb", "retransmits", SOFTIRQ_HOOKS("retrans") },
	{ "tcp_reset_sent", "tcp", "tcp_send_reset", "resets sent", SOFTIRQ_HOOKS("rst_tx") },
	{ "tcp_reset_received", "tcp", "tcp_receive_reset", "resets received",
	  SOFTIRQ_HOOKS("rst_rx") },
	{ "process_exec", "process", "sched_process_exec", "names of short-lived processes",
	  PROCESS_HOOKS("exec") },
	{ "process_fork", "process", "sched_process_fork",
	  "names of short-lived forked processes, whose calls those of started threads are",
	  PROCESS_HOOKS("fork") },
	{ "process_exit", "process", "sched_process_exit",
	  "prompt release of what is held for dead processes", PROCESS_HOOKS("last_exit") },
	{ "thread_switches", "sched", "sched_switch",
	  "what blocked threads wait for: locks, disks, sleep, memory", SOFTIRQ_HOOKS("switch") },
	{ "open_listeners",
	  "walk",
	  "task_file",
	  "listeners that are older than sonde",
	  { { "iter", "walk_listeners" } } },
	{ "open_connections",
	  "walk",
	  "task_file",
	  "connections that are older than sonde, until they are used",
	  { { "iter", "walk_connections" } } },
	{ "threads",
	  "walk",
	  "task",
	  "what services wait for: a CPU, and what their control groups lack",
	  { { "iter", "walk_threads" } } },
	{ "tcp_queues",
	  "walk",
	  "bpf_map_elem",
	  "bytes that wait in sockets",
	  { { "iter", "walk_queues" } } },
};
const size_t hook_table_length = sizeof(hook_table) / sizeof(hook_table[0]);

static const struct {
	const char *signal;
	const char *map;
} repeated[] = {
	{ "threads", NULL },
	{ "tcp_queues", "conn_by_sock" },
};

bool hook_is_repeated(const struct signal_row *row, const char **ret_map)
{
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
		if (strcmp(repeated[i].signal, row->name) == 0) {
			*ret_map = repeated[i].map;
			return true;
		}
	return false;
}

/* Of several rows of a name the first that the kernel allows serves. */
static const struct {
	const char *name;
	const void *(*bytes)(size_t *size);
	const char *function;	 /* kernel function that it calls */
	bool asks_preempt_count; /* what the probe asks, too */
} families[] = {
	{ "control", control_bpf__elf_bytes, NULL, false },
	{ "probe", probe_bpf__elf_bytes, NULL, false },
	{ "syscall", syscall_cast_bpf__elf_bytes, "bpf_rdonly_cast", false },
	{ "syscall", syscall_bpf__elf_bytes, NULL, false },
	{ "tcp", tcp_context_bpf__elf_bytes, NULL, true },
	{ "tcp", tcp_bpf__elf_bytes, NULL, false },
	{ "process", process_bpf__elf_bytes, NULL, false },
	{ "sched", sched_bpf__elf_bytes, NULL, false },
	{ "walk", walk_bpf__elf_bytes, NULL, false },
};

const void *hook_family_object(const char *family, bool has_preempt_count, size_t *ret_size)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(families[i].name, family) == 0 &&
		    (has_preempt_count || !families[i].asks_preempt_count) &&
		    (!families[i].function || feature_has_kernel_function(families[i].function)))
			return families[i].bytes(ret_size);
	return NULL;
}
