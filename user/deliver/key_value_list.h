/* SPDX-License-Identifier: Apache-2.0 */
/* `key=value,key=value` as OpenTelemetry's variables have it: W3C baggage without properties. */
#ifndef SONDE_DELIVER_KEY_VALUE_LIST_H
#define SONDE_DELIVER_KEY_VALUE_LIST_H

/* Take the next pair off the list, which is cut up for it; values are percent-decoded.
 *
 * Returns  1; 0: the list is empty; -EINVAL: what comes is no pair */
int key_value_next(char **list, char **ret_key, char **ret_value);

#endif
