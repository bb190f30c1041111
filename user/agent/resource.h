/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of every resource, of spans and of metrics. For the files of this room. */
#ifndef SONDE_AGENT_RESOURCE_H
#define SONDE_AGENT_RESOURCE_H

#include "deliver/otlp_settings.h"

/* From the environment and the machine; what is wrong with it is logged, and left out. Returns 0 or -ENOMEM */
int resource_read(struct resource_settings *ret_resource);

#endif
