/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the kernel counts of each thread anyway: read, not hooked. */
#ifndef SONDE_USAGE_BPF_H
#define SONDE_USAGE_BPF_H

#include "lib/compat.bpf.h"
#include "lib/thread_errors.bpf.h"
#include "lib/thread_waits.bpf.h"

/* Kernels without CONFIG_SCHED_INFO do not count how long threads wait for a CPU. */
static __always_inline __u64 usage_throttled(const struct task_struct *task)
{
	const struct task_group *own = NULL, *above;

	if (!bpf_core_field_exists(own->cfs_bandwidth.throttled_time))
		return 0;
	if (compat_has_task_btf()) {
		own = task->sched_task_group;
		above = own->parent;
		return own->cfs_bandwidth.throttled_time +
		       (above ? above->cfs_bandwidth.throttled_time : 0);
	}
	own = BPF_CORE_READ(task, sched_task_group);
	return BPF_CORE_READ(own, cfs_bandwidth.throttled_time) +
	       BPF_CORE_READ(own, parent, cfs_bandwidth.throttled_time);
}

/* What the kernel knows by itself of where the thread was blocked, when it was told to (kernel.task_delayacct): the disk. */
static __always_inline void usage_read_delays(struct thread_usage *usage,
					      const struct task_struct *task)
{
	const struct task_delay_info *delays;

	usage->waits_owner = 0;
	if (!bpf_core_field_exists(task->delays))
		return;
	delays = compat_has_task_btf() ? task->delays : BPF_CORE_READ(task, delays);
	if (!delays)
		return;
	__builtin_memset(usage->waited, 0, sizeof(usage->waited));
	usage->waited[WAIT_DISK] = (__u32)(BPF_CORE_READ(delays, blkio_delay) >> WAIT_UNIT_SHIFT);
	usage->waits_owner = 1;
}

static __always_inline void usage_read_waits(struct thread_usage *usage,
					     const struct task_struct *task, __u32 tid)
{
	if (settings.tells_waits)
		thread_waits_read(usage, tid);
	else
		usage_read_delays(usage, task);
}

static __always_inline void usage_read_counts(struct thread_usage *usage,
					      const struct task_struct *task, __u32 tid)
{
	const bool has_delay = bpf_core_field_exists(task->sched_info.run_delay);

	usage->tid = tid;
	thread_errors_read(usage, tid);
	usage->throttled_ns = usage_throttled(task);
	if (compat_has_task_btf()) {
		usage->on_cpu_ns = task->se.sum_exec_runtime;
		usage->exec_start_ns = task->se.exec_start;
		usage->run_queue_ns = has_delay ? task->sched_info.run_delay : 0;
		usage->migrations = (__u32)task->se.nr_migrations;
		usage->voluntary_switches = (__u32)task->nvcsw;
		usage->involuntary_switches = (__u32)task->nivcsw;
		usage->minor_faults = (__u32)task->min_flt;
		usage->major_faults = (__u32)task->maj_flt;
		return;
	}
	usage->on_cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime);
	usage->exec_start_ns = BPF_CORE_READ(task, se.exec_start);
	usage->run_queue_ns = has_delay ? BPF_CORE_READ(task, sched_info.run_delay) : 0;
	usage->migrations = (__u32)BPF_CORE_READ(task, se.nr_migrations);
	usage->voluntary_switches = (__u32)BPF_CORE_READ(task, nvcsw);
	usage->involuntary_switches = (__u32)BPF_CORE_READ(task, nivcsw);
	usage->minor_faults = (__u32)BPF_CORE_READ(task, min_flt);
	usage->major_faults = (__u32)BPF_CORE_READ(task, maj_flt);
}

static __always_inline void usage_read(struct thread_usage *usage, const struct task_struct *task,
				       __u32 tid)
{
	usage_read_counts(usage, task, tid);
	usage_read_waits(usage, task, tid);
}

#endif
