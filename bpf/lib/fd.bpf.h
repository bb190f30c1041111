/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* From a descriptor of the current task to the socket behind it, through the kernel's own table: dup, fork,
 * SCM_RIGHTS and close races cannot make it wrong. */
#ifndef SONDE_FD_BPF_H
#define SONDE_FD_BPF_H

#include "lib/compat.bpf.h"
#include "lib/settings.bpf.h"

/* Address of the kernel's socket_file_ops, learned from the first socket met: one read then rejects every other
 * file. Races are harmless, all writers write the same. */
const struct file_operations *socket_ops;

static __always_inline bool inode_is_socket(const struct file *file)
{
	const struct inode *inode = BPF_CORE_READ(file, f_inode);

	/* An O_PATH descriptor of a Unix socket's name is S_IFSOCK too, but not on sockfs. */
	return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFSOCK &&
	       BPF_CORE_READ(inode, i_sb, s_magic) == SOCKFS_MAGIC;
}

/* Whether a file with these operations is a socket's. */
static __always_inline bool file_is_socket(const struct file *file,
					   const struct file_operations *ops)
{
	if (ops == socket_ops)
		return true;
	if (socket_ops || !inode_is_socket(file))
		return false;
	socket_ops = ops;
	return true;
}

/* The struct sock of a socket's file, NULL for any other file. */
static __always_inline struct sock *file_sock(const struct file *file)
{
	const int ops_offset = bpf_core_field_offset(struct file, f_op);
	const int data_offset = bpf_core_field_offset(struct file, private_data);
	struct {
		const struct file_operations *ops;
		void *words[2];
	} near = {};
	struct socket *socket;

	if (data_offset ==
	    ops_offset + 16) { /* since 6.12 (file struct reordered): one read serves both */
		bpf_probe_read_kernel(&near, sizeof(near), (const char *)file + ops_offset);
	} else {
		bpf_probe_read_kernel(&near.ops, sizeof(near.ops), (const char *)file + ops_offset);
	}
	if (!file_is_socket(file, near.ops))
		return NULL;
	if (data_offset == ops_offset + 16)
		socket = near.words[1];
	else
		socket = BPF_CORE_READ(file, private_data);
	return BPF_CORE_READ(socket, sk);
}

static __always_inline struct sock *file_sock_cast(const void *address)
{
	const struct file *file = COMPAT_CAST(address, struct file);

	if (!file_is_socket(file, file->f_op))
		return NULL;
	return COMPAT_CAST(file->private_data, struct socket)->sk;
}

/* The struct sock behind a descriptor of the current task, NULL when there is none. */
static __always_inline struct sock *fd_sock(const struct task_struct *task, __u32 fd,
					    const bool is_direct)
{
	const struct file *file = NULL, **slot;

	if (!compat_fd_slot(task, fd, &slot))
		return NULL;
	if (COMPAT_HAS_CAST && is_direct) {
		/* The verifier follows no pointer to a pointer: any struct that is one pointer will do. */
		const void *address = COMPAT_CAST(slot, struct hlist_head)->first;

		return address ? file_sock_cast(address) : NULL;
	}
	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file ? file_sock(file) : NULL;
}

#endif
