/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What differs on arm64. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	unsigned long flags; /* TIF_32BIT: the task runs AArch32 code */
};

struct thread_struct {
	struct {
		unsigned long tp_value;
	} uw;
};

struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};

#pragma clang attribute pop

#define TIF_32BIT 22
#define TASK_IS_COMPAT(thread_info_word) ((thread_info_word) & (1ul << TIF_32BIT))
#define THREAD_INFO_COMPAT_FIELD flags
#define THREAD_POINTER_FIELD uw.tp_value

/* x0 is overwritten by the result; orig_x0 keeps the first argument. */
#define REGS_SYSCALL_NR syscallno
#define REGS_ARG0 orig_x0
#define REGS_ARG1 regs[1]
#define REGS_ARG2 regs[2]
#define REGS_ARG3 regs[3]
#define REGS_ARG4 regs[4]
#define REGS_FRAME_POINTER regs[29]
#define SYSCALL_X32_MARK 0 /* no such thing */

#include "../kernel_types.h"

#endif
