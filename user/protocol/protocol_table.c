/* SPDX-License-Identifier: Apache-2.0 */
/* The protocols, in the order in which they may look at a connection's first bytes. */
#include "protocol/protocol.h"

/* clang-format off */
const struct protocol *const protocol_table[] = {
	&protocol_memcached, /* its commands look like methods of HTTP in lower case */
	&protocol_http1,
	&protocol_redis,
	&protocol_postgresql,
	&protocol_amqp,
	&protocol_mysql,
	&protocol_mongodb,
	&protocol_fastcgi,
	&protocol_dns,
	&protocol_http2,
	&protocol_kafka, /* last, as on old connections its proof is the weakest */
};
/* clang-format on */

const size_t protocol_table_length = sizeof(protocol_table) / sizeof(protocol_table[0]);
_Static_assert(sizeof(protocol_table) / sizeof(protocol_table[0]) <= PROTOCOLS_MAX,
	       "raise PROTOCOLS_MAX");
