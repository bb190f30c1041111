/* SPDX-License-Identifier: Apache-2.0 */
/* What the machine's tasks lose by waiting for its resources, as the kernel counts it: pressure stall information. Owner thread only. */
#ifndef SONDE_AGENT_PRESSURE_H
#define SONDE_AGENT_PRESSURE_H

#include "aggregate/series.h"

#define PRESSURE_FOLDER "/proc/pressure"

/* Bring the series up to date. A kernel without CONFIG_PSI, or with psi=0, has none.
 *
 * folder   PRESSURE_FOLDER, or what tests have in its place
 * Source   Documentation/accounting/psi.rst */
void pressure_write(struct series_store *store, const char *folder);

#endif
