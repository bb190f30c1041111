/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/resource.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

int resource_read(struct resource_settings *ret_resource)
{
	const char *listed = getenv("OTEL_RESOURCE_ATTRIBUTES");
	char host_name[HOST_NAME_MAX + 1] = "";
	int error;

	(void)gethostname(host_name, sizeof(host_name) - 1); /* then the name is empty */
	error = resource_settings_read(listed, host_name, ret_resource);
	if (error != -EINVAL)
		return error;
	log_warn("OTEL_RESOURCE_ATTRIBUTES is no list of key=value, going without it");
	return resource_settings_read(NULL, host_name, ret_resource);
}
