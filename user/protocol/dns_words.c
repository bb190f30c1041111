/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the registry "Domain Name System (DNS) Parameters" of IANA; RFC 1035, RFC 2136, RFC 6895. */
#include "protocol/dns_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define TYPE_NAMES_MAX 260

static const char *const type_names[TYPE_NAMES_MAX] = {
	[1] = "A",	 [2] = "NS",	  [5] = "CNAME",       [6] = "SOA",
	[12] = "PTR",	 [13] = "HINFO",  [15] = "MX",	       [16] = "TXT",
	[17] = "RP",	 [18] = "AFSDB",  [28] = "AAAA",       [29] = "LOC",
	[33] = "SRV",	 [35] = "NAPTR",  [37] = "CERT",       [39] = "DNAME",
	[43] = "DS",	 [44] = "SSHFP",  [46] = "RRSIG",      [47] = "NSEC",
	[48] = "DNSKEY", [50] = "NSEC3",  [51] = "NSEC3PARAM", [52] = "TLSA",
	[53] = "SMIMEA", [59] = "CDS",	  [60] = "CDNSKEY",    [61] = "OPENPGPKEY",
	[62] = "CSYNC",	 [63] = "ZONEMD", [64] = "SVCB",       [65] = "HTTPS",
	[99] = "SPF",	 [249] = "TKEY",  [250] = "TSIG",      [DNS_TYPE_IXFR] = "IXFR",
	[252] = "AXFR",	 [255] = "ANY",	  [256] = "URI",       [257] = "CAA",
};

static const char *const rcode_names[] = {
	NULL,	    "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
	"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "DSOTYPENI",
};

/* Second-level names below which countries register names. */
static const char *const registries[] = { "ac", "co",  "com", "edu", "go", "gob", "gov",
					  "id", "mil", "ne",  "net", "or", "org" };

const char *dns_type_name(unsigned type)
{
	const char *name = type < TYPE_NAMES_MAX ? type_names[type] : NULL;

	return name ? name : "other";
}

const char *dns_rcode_name(unsigned rcode)
{
	return rcode < sizeof(rcode_names) / sizeof(rcode_names[0]) ? rcode_names[rcode] : "_OTHER";
}

/* The label before the one at `at`; `at` itself when that is the first. */
static const char *label_before(const char *name, const char *at)
{
	if (at == name)
		return at;
	at--;
	while (at > name && at[-1] != '.')
		at--;
	return at;
}

static bool is_label(const char *at, const char *label)
{
	size_t length = strlen(label);

	return strncmp(at, label, length) == 0 && (at[length] == '.' || !at[length]);
}

static bool is_registry(const char *last_two)
{
	const char *top = strchr(last_two, '.');

	if (!top || strlen(top) != 3)
		return false;
	for (size_t i = 0; i < sizeof(registries) / sizeof(registries[0]); i++)
		if (is_label(last_two, registries[i]))
			return true;
	return false;
}

const char *dns_name_suffix(const char *name)
{
	const char *two, *more;

	if (!*name)
		return ".";
	two = label_before(name, label_before(name, name + strlen(name) + 1));
	more = label_before(name, two);
	if (strcmp(two, "cluster.local") == 0 && (is_label(more, "svc") || is_label(more, "pod")))
		more = label_before(name, more);
	else if (!is_registry(two))
		return two;
	return strlen(more) < DNS_SUFFIX_MAX ? more : two;
}
