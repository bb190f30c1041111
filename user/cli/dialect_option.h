/* SPDX-License-Identifier: Apache-2.0 */
/* `--http-dialect`, of commands that read traffic. */
#ifndef SONDE_CLI_DIALECT_OPTION_H
#define SONDE_CLI_DIALECT_OPTION_H

#include <argp.h>

#include "correlate/engine.h"

#define DIALECT_RULES_MAX 32

/* Input of the parser. */
struct dialect_rules {
	struct dialect_rule rules[DIALECT_RULES_MAX];
	size_t count;
};

extern const struct argp_child dialect_option[];

#endif
