/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over TCP for who pairs its messages: answers overtake each other, and the identifier tells whose they are. */
#ifndef SONDE_PROTOCOL_DNS_H
#define SONDE_PROTOCOL_DNS_H

#include "protocol/dns_message.h"
#include "protocol/protocol.h"

/* The message that a side's newest STEP_APART ended. Borrowed from the state. */
const struct dns_message *dns_newest_message(const void *state, enum message_side side);

#endif
