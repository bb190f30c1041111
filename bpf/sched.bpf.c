// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What threads that handle requests are blocked on. Every switch of the machine passes here: threads that nobody asked for are
 * let go after one look-up. */
#include "lib/settings.bpf.h"

#include <asm/unistd.h>

#include "lib/compat.bpf.h"
#include "lib/thread_waits.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define WAIT_CALLS_MAX 512 /* power of two, above every number of x86-64 and arm64 */
#define WAITS_FOR(wait) ((wait) + 1)

/* What a call that blocks waits for; 0 is every other call. Conditions and pools wait by futex, too. */
static const __u8 wait_calls[WAIT_CALLS_MAX] = {
	[__NR_futex] = WAITS_FOR(WAIT_LOCK),
	[449 /* futex_waitv */] = WAITS_FOR(WAIT_LOCK),
	[455 /* futex_wait */] = WAITS_FOR(WAIT_LOCK),
	[__NR_flock] = WAITS_FOR(WAIT_LOCK),
	[__NR_fcntl] = WAITS_FOR(WAIT_LOCK),
	[__NR_semop] = WAITS_FOR(WAIT_LOCK),
	[__NR_semtimedop] = WAITS_FOR(WAIT_LOCK),
	[__NR_fsync] = WAITS_FOR(WAIT_DISK),
	[__NR_fdatasync] = WAITS_FOR(WAIT_DISK),
	[__NR_msync] = WAITS_FOR(WAIT_DISK),
	[__NR_sync_file_range] = WAITS_FOR(WAIT_DISK),
	[__NR_nanosleep] = WAITS_FOR(WAIT_SLEEP),
	[__NR_clock_nanosleep] = WAITS_FOR(WAIT_SLEEP),
};

static __always_inline bool is_in_iowait(const struct task_struct *task)
{
	return compat_has_task_btf() ? BPF_CORE_READ_BITFIELD(task, in_iowait) :
				       BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait);
}

/* Kernels without CONFIG_PSI do not mark it. */
static __always_inline bool is_in_memstall(const struct task_struct *task)
{
	if (!bpf_core_field_exists(task->in_memstall))
		return false;
	return compat_has_task_btf() ? BPF_CORE_READ_BITFIELD(task, in_memstall) :
				       BPF_CORE_READ_BITFIELD_PROBED(task, in_memstall);
}

/* Marks of the kernel go before what the call says: a futex may have to be read from a disk. */
static __always_inline __u32 wait_of(const struct task_struct *task)
{
	int nr;

	if (BPF_CORE_READ(task, flags) & PF_MEMALLOC)
		return WAIT_MEMORY;
	if (is_in_iowait(task))
		return WAIT_DISK;
	if (is_in_memstall(task))
		return WAIT_MEMORY;
	nr = compat_system_call(task);
	if (nr < 0 || nr >= WAIT_CALLS_MAX || compat_is_32bit_call(task))
		return WAIT_NONE;
	nr = wait_calls[nr & (WAIT_CALLS_MAX - 1)];
	return nr ? (__u32)nr - 1 : WAIT_NONE;
}

static __always_inline void on_out(bool is_pushed, const struct task_struct *task, __u32 tid)
{
	struct thread_waits *waits = thread_waits_slot(tid);
	__u64 run_queue_ns = 0;
	__u32 kind;

	if (!waits || waits->tid != tid)
		return;
	if (bpf_core_field_exists(task->sched_info.run_delay))
		run_queue_ns = BPF_CORE_READ(task, sched_info.run_delay);
	thread_waits_settle(waits, run_queue_ns);
	if (is_pushed || compat_is_runnable(task))
		return;
	kind = wait_of(task);
	if (kind == WAIT_NONE)
		return;
	waits->kind = kind;
	waits->run_queue_ns = run_queue_ns;
	waits->out_ns = bpf_ktime_get_ns();
}

static __always_inline void on_in(__u32 tid)
{
	struct thread_waits *waits = thread_waits_slot(tid);

	if (waits && waits->tid == tid && waits->out_ns)
		waits->in_ns = bpf_ktime_get_ns();
}

/* The thread that leaves its CPU still is the current one. Thread 0 is a CPU that rests. */
static __always_inline int on_switch(bool is_pushed, __u32 in_tid)
{
	__u32 out_tid = (__u32)bpf_get_current_pid_tgid();

	if (out_tid)
		on_out(is_pushed, compat_task(), out_tid);
	if (in_tid)
		on_in(in_tid);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switch__tp_btf, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, (__u32)next->pid);
}

SEC("raw_tp/sched_switch")
int BPF_PROG(switch__raw_tp, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return on_switch(preempt, (__u32)BPF_CORE_READ(next, pid));
}
