/* SPDX-License-Identifier: Apache-2.0 */
/* --socket, for every command that runs or asks an agent: the same option with the same default. */
#ifndef SONDE_CLI_SOCKET_OPTION_H
#define SONDE_CLI_SOCKET_OPTION_H

#include <argp.h>

#define CONTROL_SOCKET_DEFAULT "/run/sonde/sonde.sock"

/* The only children of a command's argp. Its parser answers ARGP_KEY_INIT by putting the address of a const char * into
 * state->child_inputs[0]; that is set to the default, then to what the option says (borrowed from the arguments). */
extern const struct argp_child socket_option[];

#endif
