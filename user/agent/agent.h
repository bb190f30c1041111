/* SPDX-License-Identifier: Apache-2.0 */
/* The running agent: everything wired together, on one owner thread. */
#ifndef SONDE_AGENT_AGENT_H
#define SONDE_AGENT_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/selection_rules.h"
#include "load/loader.h"

struct agent_options {
	const char *listen;		   /* ADDR:PORT */
	const char *socket_path;	   /* control socket */
	struct selection_rules *selection; /* which processes to look at; the agent takes it */
	struct loader_options loader;
	size_t series_limit; /* per metric */
	size_t routes_per_service;
	unsigned series_ttl_seconds; /* after the end of a series' process */
};

/* Run until SIGTERM or SIGINT. Logs what goes wrong.
 * Returns 0; negative errno when it could not start */
int agent_run(const struct agent_options *options);

#endif
