/* SPDX-License-Identifier: Apache-2.0 */
/* How the threads of a Go program find the goroutine that they run.
 * Source: Go's src/debug/buildinfo/buildinfo.go, src/cmd/link/internal/ld/elf.go (thread-local storage of ELF), src/runtime/sys_linux_amd64.s */
#ifndef SONDE_PUBLISHED_GOROUTINE_PLACE_H
#define SONDE_PUBLISHED_GOROUTINE_PLACE_H

#include "config_abi.h"
#include "published/loaded_module.h"

/* Look into the executable that is mapped at `start` from its beginning.
 * Returns 0; -ENOENT: it is no Go program, or keeps more than the goroutine in its own thread-local storage (C that is linked in
 * statically), or of a machine whose Go has it in a register; -ENOEXEC, negative errno */
int goroutine_place_read(const struct memory *memory, uint64_t start,
			 struct thread_place *ret_place);

#endif
