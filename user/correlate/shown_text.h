/* SPDX-License-Identifier: Apache-2.0 */
/* Text that strangers chose, made fit to be a label, JSON or a line on a terminal. Pure. */
#ifndef SONDE_CORRELATE_SHOWN_TEXT_H
#define SONDE_CORRELATE_SHOWN_TEXT_H

#include <stddef.h>

/* Copy as many whole characters as fit, and a NUL. Control characters and bytes that are no UTF-8 become '_'.
 *
 * size     of `to`, at least 1
 * Returns  length without the NUL */
size_t shown_text_copy(char *to, size_t size, const char *from, size_t length);

#endif
