/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands: a row each. */
#ifndef SONDE_CLI_COMMAND_TABLE_H
#define SONDE_CLI_COMMAND_TABLE_H

#include <stddef.h>
#include <stdio.h>

/* What every command's exit status means. */
enum command_status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_DEGRADED = 3, /* it works, but not all of it */
};

struct command {
	const char *name;
	const char *summary;
	/* argv[0] is the name to say in messages; argv has a NULL behind its last member.
	 * Returns enum command_status */
	int (*run)(int argc, char **argv);
};

extern const struct command command_table[];
extern const size_t command_table_length;

/* NULL when there is none. */
const struct command *command_find(const char *name);

/* The command that the user may have meant; NULL when nothing comes near. */
const struct command *command_suggest(const char *name);

void command_table_print(FILE *file);

/* Run argv[1], or say what there is. Returns the exit status. */
int command_main(int argc, char **argv);

#endif
