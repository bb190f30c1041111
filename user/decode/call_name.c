/* SPDX-License-Identifier: Apache-2.0 */
/* libseccomp knows the system calls of every architecture; glibc knows the errors that user space may see. */
#include "decode/call_name.h"

#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "event_abi.h"

#if defined(__x86_64__)
#define COMPAT_ARCH SCMP_ARCH_X86
#elif defined(__aarch64__)
#define COMPAT_ARCH SCMP_ARCH_ARM
#endif
#define X32_MARK 0x40000000 /* what libseccomp, like the kernel, finds in an x32 number */

enum call_table { TABLE_NATIVE, TABLE_COMPAT, TABLE_X32, TABLE_COUNT };

static const struct {
	const char *prefix;
	uint32_t arch;
	unsigned mark;
} tables[TABLE_COUNT] = {
	[TABLE_NATIVE] = { "", SCMP_ARCH_NATIVE, 0 },
	[TABLE_COMPAT] = { "compat_", COMPAT_ARCH, 0 },
	[TABLE_X32] = { "x32_", SCMP_ARCH_X32, X32_MARK },
};

/* Filled once for each number: label values must not change their address while series are looked up. */
static char *names[TABLE_COUNT][SYSCALL_NR_BEYOND];

static char *make_name(unsigned number, enum call_table table)
{
	_cleanup_free_ char *known = seccomp_syscall_resolve_num_arch(
		tables[table].arch, (int)(number | tables[table].mark));
	const char *prefix = tables[table].prefix;
	char *name;
	int length = known ? asprintf(&name, "%s%s", prefix, known) :
			     asprintf(&name, "%ssyscall_%u", prefix, number);

	return length < 0 ? NULL : name;
}

const char *syscall_name(uint16_t nr)
{
	enum call_table table = nr & SYSCALL_COMPAT_BIT ? TABLE_COMPAT :
				nr & SYSCALL_X32_BIT	? TABLE_X32 :
							  TABLE_NATIVE;
	unsigned number = nr & ~(unsigned)(SYSCALL_COMPAT_BIT | SYSCALL_X32_BIT);
	char **slot;

	if (number >= SYSCALL_NR_BEYOND)
		return "unknown";
	slot = &names[table][number];
	if (!*slot)
		*slot = make_name(number, table);
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
