/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent: everything wired together, on one owner thread. */
#ifndef SONDE_AGENT_AGENT_H
#define SONDE_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/loader.h"

#define AGENT_GLOBS_MAX 32

struct agent_options {
	const char *listen;	 /* ADDR:PORT */
	const char *socket_path; /* control socket */
	const char *
		only_exe[AGENT_GLOBS_MAX]; /* look only at processes whose executable matches one */
	size_t only_exe_count;
	const char *skip_exe[AGENT_GLOBS_MAX]; /* never look at those */
	size_t skip_exe_count;
	struct loader_options loader;
	size_t series_limit; /* per metric */
	size_t routes_per_service;
	size_t statements_per_service; /* and side and system; 0: none are kept */
	unsigned series_ttl_seconds;   /* after the end of a series' process */
};

/* Run until SIGTERM or SIGINT. Logs what goes wrong.
 * Returns 0; negative errno when it could not start */
int agent_run(const struct agent_options *options);

#endif
