/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses in 16 bytes, network byte order. */
#ifndef SONDE_BASE_ADDRESS_H
#define SONDE_BASE_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Whether an address of IPv6 stands for one of IPv4, which is its last four bytes. Pure. Source: RFC 4291 §2.5.5.2, ::ffff:a.b.c.d */
static inline bool address_is_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, prefix, sizeof(prefix)) == 0;
}

#endif
