/* SPDX-License-Identifier: Apache-2.0 */
/* One row a sub-command; adding one is a row here, a line in commands.h and its file. */
#include "cli/command_table.h"

#include <argp.h>
#include <string.h>

#include "cli/commands.h"

#define NAME_MAX_EDITS 32 /* longer words are no slip of the finger */

const struct command command_table[] = {
	{ "agent", "observe this machine and serve /metrics", command_agent },
	{ "check", "tell what this kernel can do and what is missing", command_check },
	{ "dump", "print what the running agent holds", command_dump },
	{ "record", "write the running agent's raw events to a file", command_record },
	{ "replay", "make metrics of a recording, without root and without BPF", command_replay },
	{ "select", "choose which processes the running agent looks at", command_select },
	{ "version", "print versions", command_version },
};
const size_t command_table_length = sizeof(command_table) / sizeof(command_table[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_table_length; i++)
		if (!strcmp(command_table[i].name, name))
			return &command_table[i];
	return NULL;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* How many letters must be put in, left out or changed: Levenshtein's distance. */
static unsigned edits(const char *from, const char *to)
{
	unsigned row[NAME_MAX_EDITS + 1];
	size_t width = strlen(to);

	for (size_t i = 0; i <= width; i++)
		row[i] = (unsigned)i;
	for (size_t i = 1; i <= strlen(from); i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= width; j++) {
			unsigned change = diagonal + (from[i - 1] != to[j - 1]);

			diagonal = row[j];
			row[j] = least(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[width];
}

const struct command *command_suggest(const char *name)
{
	const struct command *best = NULL;
	unsigned best_edits = 3; /* more than two slips is another word */

	if (!*name || strlen(name) > NAME_MAX_EDITS)
		return NULL;
	for (size_t i = 0; i < command_table_length; i++) {
		unsigned needed = edits(name, command_table[i].name);

		if (!strncmp(command_table[i].name, name, strlen(name)))
			needed = 0;
		if (needed >= best_edits)
			continue;
		best = &command_table[i];
		best_edits = needed;
	}
	return best;
}

void command_table_print(FILE *file)
{
	fputs("usage: sonde COMMAND [OPTION...]\n\n", file);
	for (size_t i = 0; i < command_table_length; i++)
		fprintf(file, "  %-9s %s\n", command_table[i].name, command_table[i].summary);
	fputs("\n`sonde COMMAND --help` tells the options of each.\n", file);
}

static int unknown_command(const char *name)
{
	const struct command *near = command_suggest(name);

	fprintf(stderr, "sonde: there is no command '%s'", name);
	if (near)
		fprintf(stderr, "; did you mean '%s'?\n", near->name);
	else
		fputs("; `sonde help` lists them\n", stderr);
	return STATUS_USAGE;
}

static int run(const struct command *command, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "sonde %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

int command_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command;

	argp_err_exit_status = STATUS_USAGE;
	if (argc < 2) {
		command_table_print(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(name, "help") && argc > 2) {
		char *help[] = { NULL, (char *)"--help", NULL };

		command = command_find(argv[2]);
		return command ? run(command, 2, help) : unknown_command(argv[2]);
	}
	if (!strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h")) {
		command_table_print(stdout);
		return STATUS_OK;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		name = "version";
	command = command_find(name);
	return command ? run(command, argc - 1, argv + 1) : unknown_command(name);
}
