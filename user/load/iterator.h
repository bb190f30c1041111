/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what an iterator program writes. */
#ifndef SONDE_LOAD_ITERATOR_H
#define SONDE_LOAD_ITERATOR_H

#include <stddef.h>

/* Run an attached iterator once, from its first object to its last.
 *
 * link          descriptor of its link
 * record_bytes  what it writes at a time; 0 when it writes nothing
 * visit         for each record, which is aligned like memory from malloc() as far as its size is, and borrowed
 * Returns       0; negative errno: some records may have been visited */
int iterator_run(int link, size_t record_bytes, void (*visit)(void *context, const void *record),
		 void *context);

#endif
