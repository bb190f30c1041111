/* SPDX-License-Identifier: Apache-2.0 */
/* What a server that speaks MongoDB's protocol and a client said, as it went over the wire. */
#ifndef SONDE_TESTS_MONGODB_TALKS_H
#define SONDE_TESTS_MONGODB_TALKS_H

#include "pairing.h"

extern const struct said mongodb_talk[];

#endif
