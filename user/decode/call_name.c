/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp knows the system calls of every architecture; glibc knows the errors that user space may see. */
#include "decode/call_name.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "event_abi.h"

#define NAMES_MAX 1024 /* numbers of every architecture are below */

#if defined(__x86_64__)
#define COMPAT_ARCH SCMP_ARCH_X86
#elif defined(__aarch64__)
#define COMPAT_ARCH SCMP_ARCH_ARM
#endif

/* Filled once for each number: label values must not change their address while series are looked up. */
static char *names[2][NAMES_MAX];

static char *make_name(unsigned number, int is_compat)
{
	_cleanup_free_ char *known = seccomp_syscall_resolve_num_arch(
		is_compat ? COMPAT_ARCH : SCMP_ARCH_NATIVE, (int)number);
	char *name;
	int length = known ? asprintf(&name, "%s%s", is_compat ? "compat_" : "", known) :
			     asprintf(&name, "%ssyscall_%u", is_compat ? "compat_" : "", number);

	return length < 0 ? NULL : name;
}

const char *syscall_name(uint16_t nr)
{
	int is_compat = !!(nr & SYSCALL_COMPAT_BIT);
	unsigned number = nr & ~(unsigned)SYSCALL_COMPAT_BIT;
	char **slot;

	if (number >= NAMES_MAX)
		return "unknown";
	slot = &names[is_compat][number];
	if (!*slot)
		*slot = make_name(number, is_compat);
	return *slot ? *slot : "unknown";
}

/* linux/errno.h, "These should never be seen by user programs": they are what the tracepoint sees before the signal code
 * makes them EINTR or runs the call again. */
static const char *kernel_errno_name(uint16_t error)
{
	switch (error) {
	case 512:
		return "ERESTARTSYS";
	case 513:
		return "ERESTARTNOINTR";
	case 514:
		return "ERESTARTNOHAND";
	case 515:
		return "ENOIOCTLCMD";
	case 516:
		return "ERESTART_RESTARTBLOCK";
	case 524:
		return "ENOTSUPP";
	}
	return "unknown";
}

const char *errno_name(uint16_t error)
{
	const char *name = strerrorname_np(error);

	return name ? name : kernel_errno_name(error);
}
