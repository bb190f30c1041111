/* SPDX-License-Identifier: Apache-2.0 */
/* The words of DNS: record types, response codes, and what of a name is worth a label. */
#ifndef SONDE_PROTOCOL_DNS_WORDS_H
#define SONDE_PROTOCOL_DNS_WORDS_H

#include <stdint.h>

#define DNS_TYPE_A 1
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_IXFR 251
#define DNS_TYPE_AXFR 252

/* "A", "AAAA" …, static; "other" for types that are asked for rarely. */
const char *dns_type_name(unsigned type);

/* "NXDOMAIN", "SERVFAIL" …, static; NULL for 0, "_OTHER" for codes that no message without EDNS has. */
const char *dns_rcode_name(unsigned rcode);

/* The end of a name (lower case, no dot at its end) under which it is counted: "." for the root, else its last two labels, but
 *   NAMESPACE.svc.cluster.local, and the same with pod: what search lists of Kubernetes append;
 *   three labels below co.uk and its like. */
#define DNS_SUFFIX_MAX 128 /* with NUL */
const char *dns_name_suffix(const char *name);

#endif
