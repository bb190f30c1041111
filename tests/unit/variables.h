/* SPDX-License-Identifier: Apache-2.0 */
/* An environment for those who are given a function to look variables up with: VARIABLES("NAME", "value", …). One program, one of it. */
#ifndef SONDE_TESTS_VARIABLES_H
#define SONDE_TESTS_VARIABLES_H

#include <stddef.h>
#include <string.h>

/* Pairs of a name and a value. */
static const char *const *environment;

static char *lookup(const char *name)
{
	for (const char *const *pair = environment; *pair; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return (char *)pair[1];
	return NULL;
}

#define VARIABLES(...) (environment = (const char *const[]){ __VA_ARGS__, NULL })

#endif
