/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* One small function per difference between kernels. */
#ifndef SONDE_COMPAT_BPF_H
#define SONDE_COMPAT_BPF_H

#include "lib/settings.bpf.h"

/* bpf_get_current_task_btf: 3ca1032ab7ab ("bpf: Add bpf_get_current_task_btf()"), 5.11. It allows plain loads
 * where older kernels need a helper call for each pointer. */
static __always_inline bool compat_has_task_btf(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

static __always_inline const struct task_struct *compat_task(void)
{
	return compat_has_task_btf() ? bpf_get_current_task_btf() :
				       (const void *)bpf_get_current_task();
}

/* Process and thread, as bpf_get_current_pid_tgid gives them. */
static __always_inline __u64 compat_task_id(const struct task_struct *task)
{
	if (compat_has_task_btf())
		return (__u64)(__u32)task->tgid << 32 | (__u32)task->pid;
	return bpf_get_current_pid_tgid();
}

/* No descriptor table is smaller (NR_OPEN_DEFAULT is BITS_PER_LONG; alloc_fdtable makes larger ones): lower descriptors
 * need no look at its size. */
#define FD_TABLE_MIN 64

/* Where the current task's descriptor table has its slot for a descriptor. Returns false when it ends before. */
static __always_inline bool compat_fd_slot(const struct task_struct *task, __u32 fd,
					   const struct file ***ret_slot)
{
	const struct fdtable *fdt;

	barrier_var(fd); /* clang widens the number it came from, in two steps more */
	if (compat_has_task_btf()) {
		fdt = task->files->fdt;
		if (fd >= FD_TABLE_MIN && fd >= fdt->max_fds)
			return false;
		*ret_slot = (const struct file **)fdt->fd + fd;
		return true;
	}
	fdt = BPF_CORE_READ(task, files, fdt);
	if (fd >= FD_TABLE_MIN && fd >= BPF_CORE_READ(fdt, max_fds))
		return false;
	*ret_slot = (const struct file **)BPF_CORE_READ(fdt, fd) + fd;
	return true;
}

/* bpf_rdonly_cast: a35b9af4ec2c ("bpf: Add a kfunc for generic type cast"), 6.2. It makes any address a pointer
 * that plain loads follow; a fault reads as 0. Only an object that defines COMPAT_RDONLY_CAST names it: a weak name would
 * cost the whole object where libbpf may not look for it in modules (CAP_BPF alone, 5.11 to 6.1), and 5.13 to 5.15 refuse
 * a call of nothing even in dead code. */
#ifdef COMPAT_RDONLY_CAST
extern void *bpf_rdonly_cast(const void *address, __u32 type_id) __ksym;
#define COMPAT_HAS_CAST true
#define COMPAT_CAST(address, type) \
	((const type *)bpf_rdonly_cast((address), bpf_core_type_id_kernel(type)))
#else
#define COMPAT_HAS_CAST false
#define COMPAT_CAST(address, type) ((const type *)(address)) /* never followed */
#endif

/* x86-64's per-CPU __preempt_count, where it is a variable of its own (before 6.2, since 6.15) and BPF may know its address
 * (CONFIG_KALLSYMS_ALL); then the probe got an answer. As above, only an object that asks for it names it. Softirqs that run, and switched-off ones, count in its second byte (include/linux/preempt.h). */
#ifdef COMPAT_PREEMPT_COUNT
extern const int __preempt_count __ksym;
#define SOFTIRQ_COUNT 0xff00
static __always_inline bool compat_has_preempt_count(void)
{
	return true;
}
static __always_inline bool compat_is_softirq(void)
{
	return *(const int *)bpf_this_cpu_ptr(&__preempt_count) & SOFTIRQ_COUNT;
}
#else
static __always_inline bool compat_has_preempt_count(void)
{
	return false;
}
static __always_inline bool compat_is_softirq(void)
{
	return false;
}
#endif

/* Where the current thread's static thread-local storage is. A program that moves it by itself (WRFSBASE) is seen to have done so
 * from its next switch on; C libraries ask the kernel. */
static __always_inline __u64 compat_thread_pointer(const struct task_struct *task)
{
	if (compat_has_task_btf())
		return task->thread.THREAD_POINTER_FIELD;
	return BPF_CORE_READ(task, thread.THREAD_POINTER_FIELD);
}

/* A register of the current task, as it entered the kernel. dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper"), 5.15 */
#define COMPAT_REGISTER(task, field)                                                             \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) ?                   \
		 ((const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))->field : \
		 BPF_CORE_READ(compat_older_regs(task), field))

static __always_inline const struct pt_regs *compat_older_regs(const struct task_struct *task)
{
	return BPF_CORE_READ(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* The number of the system call that the current task is in. Negative: none; it is in a fault or an interrupt. */
static __always_inline int compat_system_call(const struct task_struct *task)
{
	return (int)COMPAT_REGISTER(task, REGS_SYSCALL_NR);
}

/* Where the frame of the function is that made the system call, if its language has frame pointers. */
static __always_inline __u64 compat_frame_pointer(const struct task_struct *task)
{
	return COMPAT_REGISTER(task, REGS_FRAME_POINTER);
}

/* Whether a task runs, or would if it had a CPU. */
static __always_inline bool compat_is_runnable(const struct task_struct *task)
{
	const struct task_struct___before_5_14 *older = (const void *)task;

	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state) == TASK_RUNNING;
	return BPF_CORE_READ(older, state) == TASK_RUNNING;
}

/* Whether the running system call came in through the 32-bit entry. */
static __always_inline bool compat_is_32bit_call(const struct task_struct *task)
{
	unsigned long word;

	if (compat_has_task_btf())
		word = task->thread_info.THREAD_INFO_COMPAT_FIELD;
	else
		word = BPF_CORE_READ(task, thread_info.THREAD_INFO_COMPAT_FIELD);
	return TASK_IS_COMPAT(word);
}

#endif
