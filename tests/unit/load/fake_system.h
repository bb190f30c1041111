/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for the files that user/load looks at, and for the memlock limit (FAKE_MEMLOCK). */
#ifndef SONDE_TESTS_FAKE_SYSTEM_H
#define SONDE_TESTS_FAKE_SYSTEM_H

/* A root on a kernel with BTF and without lockdown. fake_reset calls it. */
void fake_system_reset(void);

/* What fopen and access find at a path; NULL: nothing. Paths that nobody named are the system's. */
void fake_file(const char *path, const char *content);

#define FAKE_STATUS "/proc/self/status"
#define FAKE_BTF "/sys/kernel/btf/vmlinux"
#define FAKE_LOCKDOWN "/sys/kernel/security/lockdown"
#define FAKE_ALL_CAPABILITIES "Name:\tsonde\nCapEff:\t000001ffffffffff\n"

#endif
