/* SPDX-License-Identifier: Apache-2.0 */
/* The entry of each sub-command, for command_table.c. */
#ifndef SONDE_CLI_COMMANDS_H
#define SONDE_CLI_COMMANDS_H

int command_agent(int argc, char **argv);
int command_check(int argc, char **argv);
int command_dump(int argc, char **argv);
int command_record(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_select(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
