/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What differs on x86-64. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	__u32 status; /* TS_COMPAT: the running system call is a 32-bit one */
};

struct thread_struct {
	unsigned long fsbase;
};

struct pt_regs {
	unsigned long bp, r10, r9, r8, ax, dx, si, di, orig_ax;
};

#pragma clang attribute pop

#define TS_COMPAT 2
#define TASK_IS_COMPAT(thread_info_word) ((thread_info_word)&TS_COMPAT)
#define THREAD_INFO_COMPAT_FIELD status
#define THREAD_POINTER_FIELD fsbase

/* The argument registers survive a system call; ax does not, orig_ax keeps the number. */
#define REGS_SYSCALL_NR orig_ax
#define REGS_ARG0 di
#define REGS_ARG1 si
#define REGS_ARG2 dx
#define REGS_ARG3 r10
#define REGS_ARG4 r8
#define REGS_FRAME_POINTER bp
#define SYSCALL_X32_MARK 0x40000000 /* in the number of a call by an x32 program */

#include "../kernel_types.h"

#endif
