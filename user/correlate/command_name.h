/* SPDX-License-Identifier: Apache-2.0 */
/* What a command line runs when its program is an interpreter or a launcher: `java -jar shop.jar` → shop.
 * Pure; results are views into the arguments. */
#ifndef SONDE_CORRELATE_COMMAND_NAME_H
#define SONDE_CORRELATE_COMMAND_NAME_H

#include <stddef.h>

struct text {
	const char *at; /* borrowed, not terminated */
	size_t length;
};

/* program  path of the executable
 * args     arguments, each ended by NUL; a last one without NUL is taken as whole
 * Returns  0; -ENOENT when the program is no interpreter or runs nothing that has a name */
int command_name_find(struct text program, struct text args, struct text *ret_name);

/* The part after the last slash. */
struct text text_base(struct text path);

#endif
