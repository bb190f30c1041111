/* SPDX-License-Identifier: Apache-2.0 */
/* What a client asks for in Accept and Accept-Encoding. Pure; the headers are strangers' text. */
#ifndef SONDE_EXPORT_ACCEPT_H
#define SONDE_EXPORT_ACCEPT_H

#include <stdbool.h>

/* Qualities are in thousandths: 0 is "not this", ACCEPT_QUALITY_MAX is 1.0. */
#define ACCEPT_QUALITY_MAX 1000

/* How much an Accept header wants a media type, as the most specific of its ranges says.
 *
 * accept   the header's value; NULL (absent) takes everything
 * type     "text/plain"
 * wanted   "version=0.0.4;…": what parameters of these names must say when the range has them
 * Source   RFC 9110, sections 5.6.6, 12.4.2, 12.5.1; malformed ranges are passed over */
int accept_quality(const char *accept, const char *type, const char *wanted);

/* True when Accept-Encoding takes gzip and does not prefer the plain bytes. NULL: it does not.
 * Source  RFC 9110, section 12.5.3 */
bool accept_gzip(const char *accept_encoding);

#endif
