/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pressure.h"

#include <inttypes.h>
#include <stdio.h>

/* Files of the folder, by resource; older kernels have no `irq`. */
static const char *const resources[] = { "cpu", "memory", "io", "irq" };

static void write_resource(struct series_store *store, const char *folder, const char *resource)
{
	char path[256], kind[8];
	uint64_t total_us;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, resource);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fscanf(file, "%7s avg10=%*f avg60=%*f avg300=%*f total=%" SCNu64, kind, &total_us) ==
	       2) {
		label_values labels = { resource, kind };

		(void)series_set_total(store, METRIC_PRESSURE, labels, 0,
				       total_us * 1000); /* counted there */
	}
	(void)fclose(file);
}

void pressure_write(struct series_store *store, const char *folder)
{
	for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
		write_resource(store, folder, resources[i]);
}
