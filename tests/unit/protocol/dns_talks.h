/* SPDX-License-Identifier: Apache-2.0 */
/* What dig 9.18, kdig 3.2 and unbound 1.17 said to each other, as captured. */
#ifndef SONDE_TESTS_DNS_TALKS_H
#define SONDE_TESTS_DNS_TALKS_H

#include <stddef.h>
#include <stdint.h>

struct dns_said {
	const char *hex;
	const char *read; /* what dns_message_read makes of it, as test_dns_message.c words it */
};

/* Datagrams. */
extern const struct dns_said dns_datagrams[];
extern const size_t dns_datagram_count;

/* With their length before them: a query each, and its answer. */
extern const struct dns_said dns_segments[];
extern const size_t dns_segment_count;

#define DNS_SAID_MAX 512

/* Returns how many bytes. */
size_t dns_unhex(const char *hex, uint8_t *to);

#endif
