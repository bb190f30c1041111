/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SONDE_EXPORT_GZIP_H
#define SONDE_EXPORT_GZIP_H

#include "export/text_buffer.h"

/* Compress into an empty buffer. Returns 0 or -ENOMEM. */
int gzip_compress(const struct text_buffer *plain, struct text_buffer *ret_packed);

#endif
