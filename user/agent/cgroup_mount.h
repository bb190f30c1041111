/* SPDX-License-Identifier: Apache-2.0 */
/* Where the folders of control groups are, version 2. */
#ifndef SONDE_AGENT_CGROUP_MOUNT_H
#define SONDE_AGENT_CGROUP_MOUNT_H

#include <stdint.h>

#define CGROUP_MOUNTS "/proc/self/mounts"

/* Descriptor of the first cgroup2 file system that is mounted; -ENOENT: there is none; negative errno. */
int cgroup_mount_open(const char *mounts);

/* A group's folder, by its number: whatever it is called, and wherever below or above the mount's own root. Needs
 * CAP_DAC_READ_SEARCH. Returns a descriptor; -ESTALE: it is gone; negative errno. */
int cgroup_folder_open(int mount, uint64_t id);

#endif
