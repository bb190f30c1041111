/* SPDX-License-Identifier: Apache-2.0 */
/* Accept and Accept-Encoding as strangers may send them. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "export/accept.h"
#include "export/exporter_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *header = malloc(length + 1); /* its end is the end of the allocation */
	int quality;

	memcpy(header, bytes, length);
	header[length] = '\0';
	quality = accept_quality(header, "text/plain", "version=0.0.4");
	assert(quality >= 0 && quality <= ACCEPT_QUALITY_MAX);
	assert(exporter_choose(header) < EXPORTER_COUNT);
	(void)accept_gzip(header);
	free(header);
	return 0;
}
