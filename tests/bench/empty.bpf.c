// SPDX-License-Identifier: Apache-2.0
/* The least that can be attached to sys_exit: what every program there pays before it does anything. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Apache-2.0"; /* calls nothing, so the kernel asks for no other */

SEC("tp_btf/sys_exit")
int BPF_PROG(empty_exit, struct pt_regs *regs, long ret)
{
	return 0;
}
