/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail on demand, in our own objects only: every unit test is linked with
 * --wrap=malloc,calloc,realloc,strdup,strndup.
 * Not for tests in which several threads allocate. */
#ifndef SONDE_TESTS_FAILING_ALLOC_H
#define SONDE_TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Let the nth allocation from now fail, counted from 0, once; those before and after it succeed. */
void failing_alloc_at(size_t nth);

/* True when it has failed. */
bool failing_alloc_has_failed(void);

/* No more failures. Returns true when one has happened since failing_alloc_at. */
bool failing_alloc_stop(void);

/* Run the body with the nth allocation failing, for n = 0, 1, … until a run through it does not get as far
 * as the nth. `nth` is the number; leave the body by its end or by `continue`. */
#define FOR_EACH_FAILING_ALLOC(nth)                                     \
	for (size_t nth = 0, _again = (failing_alloc_at(0), 1); _again; \
	     _again = failing_alloc_stop(), nth++, _again ? failing_alloc_at(nth) : (void)0)

#endif
