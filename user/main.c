/* SPDX-License-Identifier: Apache-2.0 */
/* The sonde binary: everything is in its sub-commands. */
#include "cli/command_table.h"

int main(int argc, char **argv)
{
	return command_main(argc, argv);
}
