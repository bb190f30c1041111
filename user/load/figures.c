/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of our programs and maps. */
#include "load/figures.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "load/loader.h"

static int read_program(int fd, const char *name, struct program_figures *ret_figures)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ret_figures = (struct program_figures){ .name = name,
						 .run_ns = info.run_time_ns,
						 .runs = info.run_cnt,
						 .recursion_misses = info.recursion_misses };
	return 0;
}

int loader_each_program(const struct loader *loader,
			int (*visit)(void *context, const struct program_figures *figures),
			void *context)
{
	struct bpf_object *object;
	int stop = 0;

	for (size_t i = 0; !stop && (object = loader_object(loader, i)); i++) {
		struct bpf_program *program;

		bpf_object__for_each_program(program, object) {
			struct program_figures figures;
			int fd = bpf_program__fd(program);

			if (fd < 0 || read_program(fd, bpf_program__name(program), &figures))
				continue;
			stop = visit(context, &figures);
			if (stop)
				break;
		}
	}
	return stop;
}

int stats_window_open(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}
