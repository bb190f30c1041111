/* SPDX-License-Identifier: Apache-2.0 */
/* Options that take a whole number. */
#ifndef SONDE_CLI_NUMBER_OPTION_H
#define SONDE_CLI_NUMBER_OPTION_H

#include <argp.h>

/* The number that the text says. Ends the program with argp's error when it says none, or one out of bounds.
 *
 * option  its long name, without dashes */
unsigned long number_option(struct argp_state *state, const char *option, const char *text,
			    unsigned long least, unsigned long most);

#endif
