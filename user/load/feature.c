/* SPDX-License-Identifier: Apache-2.0 */
/* Privileges, BTF, lockdown: said in words that tell what to do. */
#include "load/feature.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "base/cleanup.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"

/* Capabilities and what sonde uses them for. CAP_SYS_ADMIN stands in for the first two (and must on kernels
 * that restrict them further). */
static const struct {
	unsigned bit;
	const char *name;
	const char *use;
} capabilities[] = {
	{ 39, "CAP_BPF", "maps and programs" },
	{ 38, "CAP_PERFMON", "tracepoints and reading kernel memory" },
};
#define CAP_SYS_ADMIN_BIT 21

static uint64_t effective_capabilities(void)
{
	_cleanup_fclose_ FILE *status = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t set;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &set) == 1)
			return set;
	return 0;
}

static size_t missing_capabilities(char *names, size_t size)
{
	uint64_t set = effective_capabilities();
	size_t length = 0;

	names[0] = '\0';
	if (set & (UINT64_C(1) << CAP_SYS_ADMIN_BIT))
		return 0;
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		if (!(set & (UINT64_C(1) << capabilities[i].bit)) && length < size)
			length += (size_t)snprintf(names + length, size - length, "%s%s (%s)",
						   length ? ", " : "", capabilities[i].name,
						   capabilities[i].use);
	return length;
}

static int is_locked_down(void)
{
	_cleanup_fclose_ FILE *file = fopen(LOCKDOWN_PATH, "re");
	char line[128];

	return file && fgets(line, sizeof(line), file) && strstr(line, "[confidentiality]");
}

void feature_explain(int load_error, char *text, size_t size)
{
	char names[160];

	text[0] = '\0';
	if (missing_capabilities(names, sizeof(names)))
		snprintf(text, size, "missing capabilities: %s; run as root or grant them", names);
	else if (access(BTF_PATH, R_OK))
		snprintf(
			text, size,
			"%s: %s; sonde needs a kernel built with CONFIG_DEBUG_INFO_BTF=y (5.10 or later)",
			BTF_PATH, strerror(errno));
	else if (is_locked_down())
		snprintf(
			text, size,
			"kernel lockdown is in confidentiality mode (%s), which forbids BPF to read kernel memory; "
			"boot with lockdown=integrity or none",
			LOCKDOWN_PATH);
	else if (load_error == EPERM)
		snprintf(
			text, size,
			"the kernel refused bpf(): Operation not permitted; a seccomp filter, an LSM or a memlock limit "
			"stands in the way (container: allow the bpf system call, grant CAP_SYS_RESOURCE)");
	else if (load_error)
		snprintf(text, size,
			 "no BPF program could be loaded: %s; `sonde check` tells what was tried",
			 strerror(load_error));
}

int feature_lift_memlock(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0)
		return 0;
	return -errno;
}

bool feature_has_kernel_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}
