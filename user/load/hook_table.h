/* SPDX-License-Identifier: Apache-2.0 */
/* What sonde can observe and the kernel hooks that give it, in order of preference. */
#ifndef SONDE_LOAD_HOOK_TABLE_H
#define SONDE_LOAD_HOOK_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "load/signal_report.h"

/* The hook whose programs run with preemption off on every kernel. */
#define HOOK_UNPREEMPTED "tp"

/* One way to get a signal. */
struct hook {
	const char *name;    /* as `sonde check` prints it and --hook takes it: "tp_btf" */
	const char *program; /* BPF program in the family's object */
};

/* One signal: a row of hook_table. */
struct signal_row {
	const char *name;   /* label `signal` */
	const char *family; /* BPF object: bpf/<family>.bpf.c */
	const char *target; /* kernel's name of the place */
	const char *loses;  /* what the user does without when no hook works */
	struct hook hooks[REPORT_ALTERNATIVES_MAX];
};

extern const struct signal_row hook_table[];
extern const size_t hook_table_length;

/* Whether a signal is an iterator for loader_walk(); others run once, at start.
 * ret_map  the map that it walks over, NULL: none; written when it is one */
bool hook_is_repeated(const struct signal_row *row, const char **ret_map);

/* The compiled BPF object of a family for this kernel, inside this binary. has_preempt_count: the probe got an answer here
 * (bpf/probe.bpf.c). NULL for an unknown name. */
const void *hook_family_object(const char *family, bool has_preempt_count, size_t *ret_size);

#endif
