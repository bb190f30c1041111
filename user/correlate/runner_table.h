/* SPDX-License-Identifier: Apache-2.0 */
/* Interpreters and launchers: programs whose own name says nothing about the service. */
#ifndef SONDE_CORRELATE_RUNNER_TABLE_H
#define SONDE_CORRELATE_RUNNER_TABLE_H

#include <stddef.h>

enum runner_flags {
	CLUSTERS = 1 << 0, /* one-letter options may share a dash, their values may be attached */
	TARGETS_ONLY = 1 << 1, /* arguments that are no options name nothing */
	APPLICATIONS = 1 << 2, /* module:attribute is preferred over other arguments */
};

/* What of a target is its name. */
enum naming {
	NAMED_FILE,	   /* base name without the ending that programs have */
	NAMED_JAVA,	   /* of an archive without its version, of a class without its package */
	NAMED_APPLICATION, /* module:attribute → module */
	NAMED_PACKAGE,	   /* package@version → package */
};

/* Lists are words with a space on both sides. */
struct runner {
	const char *names;
	unsigned flags;
	const char *values;   /* options that take the next argument */
	const char *targets;  /* options whose argument is what is run */
	const char *stops;    /* options and words after which nothing with a name is run */
	const char *words;    /* sub-commands in front of what is run */
	const char *attached; /* with CLUSTERS: letters that end a cluster, the rest is theirs */
	enum naming naming;
};

extern const struct runner runner_table[];
extern const size_t runner_table_length;

#endif
