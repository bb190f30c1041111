/* SPDX-License-Identifier: Apache-2.0 */
/* `sonde version`. */
#include <argp.h>
#include <bpf/libbpf.h>
#include <stdio.h>

#include "cli/command_table.h"
#include "cli/commands.h"
#include "event_abi.h"

#ifndef SONDE_VERSION
#define SONDE_VERSION "unknown"
#endif

#if defined(__x86_64__)
#define ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define ARCHITECTURE "aarch64"
#else
#error "hooks read the registers of x86-64 and arm64 only"
#endif

int command_version(int argc, char **argv)
{
	static const struct argp argp = {
		.doc = "Print the versions of sonde and of what it is made with."
	};

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	printf("sonde %s\n", SONDE_VERSION);
	printf("event ABI %d\n", EVENT_ABI_VERSION);
	printf("libbpf %s\n", libbpf_version_string() + (*libbpf_version_string() == 'v'));
	printf("built for %s\n", ARCHITECTURE);
	return STATUS_OK;
}
