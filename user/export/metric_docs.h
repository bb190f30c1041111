/* SPDX-License-Identifier: Apache-2.0 */
/* docs/METRICS.md, printed from the metric table. */
#ifndef SONDE_EXPORT_METRIC_DOCS_H
#define SONDE_EXPORT_METRIC_DOCS_H

#include "export/text_buffer.h"

/* Append the whole page. Returns 0 or -ENOMEM. */
int metric_docs_render(struct text_buffer *buffer);

#endif
