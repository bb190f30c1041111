// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Asks the running kernel one question, attached for a moment at start: are raw tracepoint programs preempted?
 *
 * Newer kernels (7.x) run them without disabling preemption. A program that was preempted still counts as running on its
 * CPU, and the kernel skips every further run there until the task comes back: whole time slices of system calls go unseen.
 * Programs on perf tracepoints run with preemption off everywhere. */
#include "lib/settings.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* x86-64's per-CPU counter; where it is not, the answer stays PROBE_UNKNOWN. */
extern const int __preempt_count __ksym __weak;

#define PREEMPT_MASK 0xff /* include/linux/preempt.h; softirqs and interrupts count above */

__u32 probe_answer; /* enum probe_answer */

SEC("raw_tp/sys_exit")
int probe_preempt(void *ctx)
{
	const int *count;

	if ((__u32)(bpf_get_current_pid_tgid() >> 32) != settings.agent_tgid || !&__preempt_count)
		return 0;
	count = bpf_this_cpu_ptr(&__preempt_count);
	probe_answer = *count & PREEMPT_MASK ? PROBE_PREEMPTION_OFF : PROBE_PREEMPTION_ON;
	return 0;
}
