/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS message as far as its question: the same over UDP and TCP. */
#ifndef SONDE_PROTOCOL_DNS_MESSAGE_H
#define SONDE_PROTOCOL_DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_MAX 254 /* as text, without the last dot: RFC 1035, section 2.3.4 */

struct dns_message {
	uint16_t id;
	uint16_t type;
	uint8_t rcode;
	bool is_answer;
	bool is_truncated;
	bool has_question;	     /* errors may come without */
	char name[DNS_NAME_MAX + 1]; /* in lower case; what no host has in its name is '_' */
};

/* Read a message of `length` bytes, of which the first `captured` are there.
 *
 * Returns  0; -ENODATA when the question goes on beyond what was captured; -ENOTSUP for messages that are no lookups
 *          (another opcode, several questions); -EBADMSG when it is no DNS message
 * Source   RFC 1035, section 4.1 */
int dns_message_read(const uint8_t *bytes, size_t captured, size_t length,
		     struct dns_message *ret_message);

/* What an answer says that a name's addresses are. */
#define DNS_ADDRESSES_MAX 4
struct dns_addresses {
	size_t count;
	uint8_t bytes[DNS_ADDRESSES_MAX][16]; /* network byte order; IPv4 uses the first 4 bytes */
};

/* Read them from the message that was read from these bytes. Those behind what was captured, and in records that are not as they
 * should be, are left out. */
void dns_message_addresses(const uint8_t *bytes, size_t captured,
			   struct dns_addresses *ret_addresses);

#endif
