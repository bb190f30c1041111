/* SPDX-License-Identifier: Apache-2.0 */
/* What RabbitMQ and its clients said, as it went over the wire. */
#ifndef SONDE_TESTS_AMQP_TALKS_H
#define SONDE_TESTS_AMQP_TALKS_H

#include "pairing.h"

enum {
	AMQP_WORK,
	AMQP_CONFIRMS,
	AMQP_COUNT,
};

extern const struct said *const amqp_talks[];

#endif
