/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of our programs. */
#ifndef SONDE_LOAD_FIGURES_H
#define SONDE_LOAD_FIGURES_H

#include <stdint.h>

struct loader;

struct program_figures {
	const char *name;
	uint64_t run_ns; /* while statistics were on, whoever switched them on */
	uint64_t runs;	 /* the same */
	uint64_t recursion_misses; /* runs that the kernel skipped because the program was running; always counted,
				      0 on kernels before 5.12, which do not skip */
};

/* Visit every loaded program; non-zero from visit stops and is returned. */
int loader_each_program(const struct loader *loader,
			int (*visit)(void *context, const struct program_figures *figures),
			void *context);

/* Have the kernel measure programs (BPF_STATS_RUN_TIME) until the descriptor is closed. That costs two clock readings per
 * run, hence windows. Returns a descriptor, the caller's; negative errno (-EPERM without CAP_SYS_ADMIN). */
int stats_window_open(void);

#endif
