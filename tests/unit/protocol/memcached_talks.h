/* SPDX-License-Identifier: Apache-2.0 */
/* What memcached 1.6.18 and its clients said, as it went over the wire. */
#ifndef SONDE_TESTS_MEMCACHED_TALKS_H
#define SONDE_TESTS_MEMCACHED_TALKS_H

#include "pairing.h"

enum {
	MEMCACHED_TEXT,
	MEMCACHED_BINARY,
	MEMCACHED_COUNT,
};

extern const struct said *const memcached_talks[];

#endif
