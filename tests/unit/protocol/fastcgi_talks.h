/* SPDX-License-Identifier: Apache-2.0 */
/* Captured bytes of FastCGI. */
#ifndef SONDE_TESTS_FASTCGI_TALKS_H
#define SONDE_TESTS_FASTCGI_TALKS_H

#include "pairing.h"

extern const struct said fastcgi_talk[];

#endif
