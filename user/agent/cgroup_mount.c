/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: a handle is the node's number, 64 bits */

int cgroup_mount_open(const char *mounts)
{
	FILE *file = setmntent(mounts, "re");
	const struct mntent *mount;
	int fd = -ENOENT;

	if (!file)
		return -errno;
	while (fd < 0 && (mount = getmntent(file)))
		if (strcmp(mount->mnt_type, "cgroup2") == 0) {
			fd = open(mount->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			fd = fd < 0 ? -errno : fd;
		}
	(void)endmntent(file);
	return fd;
}

int cgroup_folder_open(int mount, uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} name = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS } };
	int fd;

	memcpy(name.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(mount, &name.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
