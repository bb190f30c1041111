/* SPDX-License-Identifier: Apache-2.0 */
/* What must be there before any hook can work. */
#ifndef SONDE_LOAD_FEATURE_H
#define SONDE_LOAD_FEATURE_H

#include <stdbool.h>
#include <stddef.h>

/* Write into `text` what is missing for BPF to work at all and what to do about it; "" when nothing is known to be.
 * load_error is the errno of a failed load, 0 when none was tried. */
void feature_explain(int load_error, char *text, size_t size);

/* Lift RLIMIT_MEMLOCK, which kernels before 5.11 charge maps to. Returns 0, or -EPERM without CAP_SYS_RESOURCE: then
 * loading may still work within the limit. */
int feature_lift_memlock(void);

/* Whether the kernel (not a module) has a function of this name that BPF could call; reads the kernel's BTF each time. */
bool feature_has_kernel_function(const char *name);

#endif
