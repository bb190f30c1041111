// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The tcp family for kernels that say whether a softirq is running (lib/compat.bpf.h). */
#define COMPAT_PREEMPT_COUNT
#include "tcp.bpf.c"
