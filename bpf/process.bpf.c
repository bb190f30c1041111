// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Processes: what program they run and what their environment calls the service, read at exec, because a short-lived one
 * is gone before anybody could look into /proc. */
#include "lib/settings.bpf.h"

#include "lib/emit.bpf.h"
#include "lib/process.bpf.h"
#include "lib/thread_place.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Environment strings looked through; what is behind them only /proc tells (PROCESS_ENV_PART). */
#define ENV_LOOK_MAX 200
#define ENV_CHUNK (PROCESS_ENV_MAX + 32)

#define PAYLOAD_ROOM 2048 /* power of two above the sum of the strings' limits */

struct exec_scratch {
	struct event_process_exec event;
	char payload[2 * PAYLOAD_ROOM];
	char env[ENV_CHUNK];
	char service_name[PROCESS_ENV_MAX];
	char attributes[PROCESS_ENV_MAX];
};

/* Room to build an exec event. Only the exec program uses it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} exec_scratch SEC(".maps");

struct bounds {
	unsigned long start, end;
};

/* Literals, not arrays: clang folds the bytes in and would leave arrays without an address in the BTF. */
#define SERVICE_NAME_KEY "OTEL_SERVICE_NAME="
#define ATTRIBUTES_KEY "OTEL_RESOURCE_ATTRIBUTES="
#define KEY_LENGTH(key) (sizeof(key) - 1)

static __always_inline bool starts_with(const char *text, const char *key, __u32 length)
{
	for (__u32 i = 0; i < length; i++)
		if (text[i] != key[i])
			return false;
	return true;
}

/* Length without the terminating NUL. */
static __always_inline __u16 text_length(long copied)
{
	return copied > 0 ? (__u16)(copied - 1) : 0;
}

/* Keep the value of the variable in scratch->env if it is one of ours. Global linkage: verified once, not in each of the
 * loop's rounds. */
__noinline int exec_keep_variable(void)
{
	__u32 zero = 0;
	struct exec_scratch *scratch = bpf_map_lookup_elem(&exec_scratch, &zero);

	if (!scratch || scratch->env[0] != 'O' || scratch->env[1] != 'T')
		return 0;
	if (starts_with(scratch->env, SERVICE_NAME_KEY, KEY_LENGTH(SERVICE_NAME_KEY)))
		scratch->event.service_name_bytes = text_length(bpf_probe_read_kernel_str(
			scratch->service_name, sizeof(scratch->service_name),
			scratch->env + KEY_LENGTH(SERVICE_NAME_KEY)));
	else if (starts_with(scratch->env, ATTRIBUTES_KEY, KEY_LENGTH(ATTRIBUTES_KEY)))
		scratch->event.resource_attributes_bytes = text_length(
			bpf_probe_read_kernel_str(scratch->attributes, sizeof(scratch->attributes),
						  scratch->env + KEY_LENGTH(ATTRIBUTES_KEY)));
	return 0;
}

static __always_inline void exec_read_environment(struct exec_scratch *scratch, struct bounds env)
{
	unsigned long at = env.start;

	for (__u32 i = 0; i < ENV_LOOK_MAX; i++) {
		long length;

		if (at >= env.end)
			return;
		length = bpf_probe_read_user_str(scratch->env, sizeof(scratch->env),
						 (const void *)at);
		if (length <= 0)
			return;
		at += (unsigned long)length;
		exec_keep_variable();
	}
	scratch->event.exec_flags |= PROCESS_ENV_PART;
}

/* Append `length` bytes to the payload. Returns the new end. */
static __always_inline __u32 exec_append(struct exec_scratch *scratch, __u32 end, const void *from,
					 __u32 length, __u32 limit)
{
	barrier_var(end);
	end &= PAYLOAD_ROOM - 1;
	barrier_var(length);
	if (length > limit)
		length = limit;
	bpf_probe_read_kernel(scratch->payload + end, length, from);
	return end + length;
}

static __always_inline __u32 exec_append_args(struct exec_scratch *scratch, __u32 end,
					      struct bounds args)
{
	unsigned long length = args.end - args.start;
	__u32 wanted = length > PROCESS_ARGS_MAX ? PROCESS_ARGS_MAX : (__u32)length;

	barrier_var(end);
	end &= PAYLOAD_ROOM - 1;
	barrier_var(wanted);
	if (wanted > PROCESS_ARGS_MAX || !wanted)
		return end;
	if (bpf_probe_read_user(scratch->payload + end, wanted, (const void *)args.start))
		return end;
	scratch->event.args_bytes = (__u16)wanted;
	return end + wanted;
}

static __always_inline void exec_fill(struct event_process_exec *event,
				      const struct task_struct *task)
{
	emit_fill_header(&event->header, (__u32)BPF_CORE_READ(task, tgid), EVENT_PROCESS_EXEC, 0);
	event->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	event->parent_tgid = (__u32)BPF_CORE_READ(task, real_parent, tgid);
	event->exec_flags = 0;
	event->path_bytes = 0;
	event->args_bytes = 0;
	event->service_name_bytes = 0;
	event->resource_attributes_bytes = 0;
	event->cgroup_bytes = 0;
	__builtin_memset(event->_pad, 0, sizeof(event->_pad));
	BPF_CORE_READ_STR_INTO(&event->comm, task, comm);
}

/* filename: in the kernel's memory. */
static __always_inline int on_exec(const struct task_struct *task, const char *filename)
{
	__u32 zero = 0, end, size;
	struct exec_scratch *scratch = bpf_map_lookup_elem(&exec_scratch, &zero);
	struct event_process_exec *event;
	struct process_state *process;
	struct bounds args, env;

	if (!scratch)
		return 0;
	event = &scratch->event;
	exec_fill(event, task);
	args.start = BPF_CORE_READ(task, mm, arg_start);
	args.end = BPF_CORE_READ(task, mm, arg_end);
	env.start = BPF_CORE_READ(task, mm, env_start);
	env.end = BPF_CORE_READ(task, mm, env_end);
	event->path_bytes = text_length(
		bpf_probe_read_kernel_str(scratch->payload, PROCESS_PATH_MAX, filename));
	end = exec_append_args(scratch, event->path_bytes, args);
	exec_read_environment(scratch, env);
	end = exec_append(scratch, end, scratch->service_name, event->service_name_bytes,
			  PROCESS_ENV_MAX);
	end = exec_append(scratch, end, scratch->attributes, event->resource_attributes_bytes,
			  PROCESS_ENV_MAX);
	barrier_var(end);
	end &= PAYLOAD_ROOM - 1;
	event->cgroup_bytes = text_length(
		bpf_probe_read_kernel_str(scratch->payload + end, PROCESS_CGROUP_MAX,
					  BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, name)));
	size = end + event->cgroup_bytes;
	barrier_var(size);
	if (size > 2 * PAYLOAD_ROOM)
		return 0;
	size += sizeof(*event);
	event->header.size = (__u16)size;
	thread_place_remove(event->header.tgid);
	/* What was decided for the program before does not hold for this one. */
	process = process_find(event->header.tgid);
	if (process)
		process_set_flags(process, event->header.tgid, 0);
	emit_copy(RING_PROCESS, &event->header, size);
	return 0;
}

static __always_inline int on_new_process(__u32 parent_tgid, __u32 child_tgid, __u64 start_ns)
{
	struct event_process_fork event = {};
	struct process_state *process;

	event.child_tgid = child_tgid;
	emit_fill_header(&event.header, parent_tgid, EVENT_PROCESS_FORK, sizeof(event));
	event.start_ns = start_ns;
	process_forget_ignored(event.child_tgid);
	process = process_find(event.header.tgid);
	if (process && (process->flags & PROCESS_IGNORED)) {
		process = process_get(event.child_tgid);
		if (process)
			process_set_flags(process, event.child_tgid, PROCESS_IGNORED);
	}
	emit_copy(RING_PROCESS, &event.header, sizeof(event));
	return 0;
}

/* In the order of what threads read and write: not in the ring of processes, which is read first. */
static __always_inline int on_thread(__u32 tgid, __u32 tid, __u32 by_tid)
{
	struct event_thread event = { .tid = tid, .by_tid = by_tid };

	if (!settings.tells_threads || process_is_ignored(tgid) || !process_find(tgid))
		return 0;
	emit_fill_header(&event.header, tgid, EVENT_THREAD, sizeof(event));
	emit_copy(RING_PROCESS + 1, &event.header, sizeof(event));
	return 0;
}

static __always_inline int on_fork(const struct task_struct *parent,
				   const struct task_struct *child)
{
	__u32 child_tgid = (__u32)BPF_CORE_READ(child, tgid);

	__u32 child_tid = (__u32)BPF_CORE_READ(child, pid);

	if (child_tgid != child_tid)
		return on_thread(child_tgid, child_tid, (__u32)BPF_CORE_READ(parent, pid));
	return on_new_process((__u32)BPF_CORE_READ(parent, tgid), child_tgid,
			      BPF_CORE_READ(child, start_boottime));
}

static __always_inline int on_task_exit(const struct task_struct *task)
{
	struct event_process_exit event = {};

	if (BPF_CORE_READ(task, signal, live.counter) > 0)
		return on_thread((__u32)BPF_CORE_READ(task, tgid), (__u32)BPF_CORE_READ(task, pid),
				 0);
	emit_fill_header(&event.header, (__u32)BPF_CORE_READ(task, tgid), EVENT_PROCESS_EXIT,
			 sizeof(event));
	process_forget_ignored(event.header.tgid);
	thread_place_remove(event.header.tgid);
	event.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	emit_copy(RING_PROCESS, &event.header, sizeof(event));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec__tp_btf, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(task, BPF_CORE_READ(bprm, filename));
}

SEC("raw_tp/sched_process_exec")
int BPF_PROG(exec__raw_tp, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(task, BPF_CORE_READ(bprm, filename));
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(fork__tp_btf, struct task_struct *parent, struct task_struct *child)
{
	return on_fork(parent, child);
}

SEC("raw_tp/sched_process_fork")
int BPF_PROG(fork__raw_tp, struct task_struct *parent, struct task_struct *child)
{
	return on_fork(parent, child);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(last_exit__tp_btf, struct task_struct *task)
{
	return on_task_exit(task);
}

SEC("raw_tp/sched_process_exit")
int BPF_PROG(last_exit__raw_tp, struct task_struct *task)
{
	return on_task_exit(task);
}

/* Perf tracepoints, for kernels that preempt the programs above (probe.bpf.c). */

SEC("tp/sched/sched_process_exec")
int exec__tp(struct trace_event_raw_sched_process_exec *ctx)
{
	__u32 offset = ctx->__data_loc_filename & 0xffff;

	return on_exec((const struct task_struct *)bpf_get_current_task(),
		       (const char *)ctx + offset);
}

/* The child does not run yet, so its start time is not at hand: 0, unknown. */
SEC("tp/task/task_newtask")
int fork__tp(struct trace_event_raw_task_newtask *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();

	if (ctx->clone_flags & CLONE_THREAD)
		return on_thread((__u32)(id >> 32), (__u32)ctx->pid, (__u32)id);
	return on_new_process((__u32)(id >> 32), (__u32)ctx->pid, 0);
}

SEC("tp/sched/sched_process_exit")
int last_exit__tp(void *ctx)
{
	return on_task_exit((const struct task_struct *)bpf_get_current_task());
}
