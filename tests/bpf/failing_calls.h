/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that fail as they are told to, with errors that no kernel of today gives. */
#ifndef SONDE_TESTS_BPF_FAILING_CALLS_H
#define SONDE_TESTS_BPF_FAILING_CALLS_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "stage.h"

#define FAILING_CALLS_MAX 8

/* Have these calls of the process fail with the error that their first argument names, 1 to 4095. */
static inline void stage_choose_errors(struct stage *stage, const int *calls, size_t count)
{
	struct sock_filter code[FAILING_CALLS_MAX + 5] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	const struct sock_filter tail[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { (unsigned short)(count + 5), code };

	for (size_t i = 0; i < count; i++)
		code[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], (uint8_t)(count - i), 0);
	memcpy(code + 1 + count, tail, sizeof(tail));
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		stage_skip(stage, "no seccomp filters");
}

#endif
