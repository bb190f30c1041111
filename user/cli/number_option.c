/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/number_option.h"

#include <stdlib.h>

unsigned long number_option(struct argp_state *state, const char *option, const char *text,
			    unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || value < least || value > most)
		argp_error(state, "--%s wants a number from %lu to %lu, not '%s'", option, least,
			   most, text);
	return value;
}
