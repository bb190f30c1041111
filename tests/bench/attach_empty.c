/* SPDX-License-Identifier: Apache-2.0 */
/* Attaches empty.bpf.c, says "ready", and detaches when standard input ends: by then whoever started it is done or dead. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "empty.skel.h"

int main(void)
{
	struct empty_bpf *empty = empty_bpf__open_and_load();
	char ignored;

	if (!empty || empty_bpf__attach(empty)) {
		fprintf(stderr, "attach_empty: cannot attach to sys_exit: %s\n", strerror(errno));
		empty_bpf__destroy(empty);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &ignored, 1) > 0)
		;
	empty_bpf__destroy(empty);
	return 0;
}
