/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader found out about every signal: `sonde check`, `sonde dump hooks` and sonde_hook_info say it. */
#ifndef SONDE_LOAD_SIGNAL_REPORT_H
#define SONDE_LOAD_SIGNAL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define REPORT_ALTERNATIVES_MAX 4
#define REPORT_REASON_MAX 160
#define REPORT_FATAL_MAX 640

/* One way to get a signal. */
struct alternative_report {
	const char *hook; /* static: "tp_btf" */
	bool is_tried;	  /* false: one before it was good enough */
	bool is_ok;
	char reason[REPORT_REASON_MAX]; /* why it does not work; empty when it does or was not tried */
};

struct signal_report {
	const char *signal; /* static: "tcp_state" */
	const char *target; /* static: what the kernel calls the place, "inet_sock_set_state" */
	const char *hook;   /* static: in use; NULL: none works */
	const char *loses;  /* static: what the user does without when hook is NULL */
	bool is_off;	    /* it costs something, and nobody asked for it: no hook was tried */
	size_t alternative_count;
	struct alternative_report alternatives[REPORT_ALTERNATIVES_MAX];
};

/* One allocation: free() releases it. */
struct check_report {
	char kernel[128]; /* "6.1.0-18-amd64 x86_64": for people, nothing is decided by it */
	/* Why nothing can work and what to do about it, in sentences; empty when something does. */
	char fatal[REPORT_FATAL_MAX];
	size_t signal_count;
	struct signal_report signals[];
};

/* Load and attach everything as the agent would, note what happened, and detach again.
 *
 * ret_report  caller's to free(); also given when nothing works (fatal says why)
 * Returns     0; -ENOMEM */
int load_check(struct check_report **ret_report);

#endif
