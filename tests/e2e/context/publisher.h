/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISHER_H
#define PUBLISHER_H

/* span 0: none is active. valid: as in the record, or */
#define AWAY 3 /* there is no memory where the record is said to be */
void publish(unsigned long trace_high, unsigned long trace, unsigned long span, int valid);

#endif
