// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The syscall family for kernels that have bpf_rdonly_cast (lib/compat.bpf.h): three hundred instructions less a call. */
#define COMPAT_RDONLY_CAST
#include "syscall.bpf.c"
