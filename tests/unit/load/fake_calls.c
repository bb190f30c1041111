/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for libbpf's wrappers of bpf(2). */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fake_libbpf.h"

int bpf_iter_create(int link_fd)
{
	int error = link_fd < 0 ? -EBADF : fake_fails(FAKE_ITERATE, "");

	if (error)
		return error;
	/* A directory cannot be read. */
	if (fake_fails(FAKE_ITERATE_READ, ""))
		return open("/", O_RDONLY | O_CLOEXEC);
	return fake_iterator_path ? open(fake_iterator_path, O_RDONLY | O_CLOEXEC) : fake_fd();
}

int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_bytes, __u32 value_bytes,
		   __u32 entries, const struct bpf_map_create_opts *options)
{
	int error = fake_fails(FAKE_MAP_CREATE, name);

	(void)options;
	if (error)
		return error;
	if (type != BPF_MAP_TYPE_RINGBUF || key_bytes || value_bytes) {
		errno = EINVAL;
		return -EINVAL;
	}
	fake_note_entries(name, entries);
	return fake_fd();
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)key;
	(void)value;
	(void)flags;
	return fd < 0 ? -EBADF : fake_fails(FAKE_MAP_UPDATE, "");
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	if (fd >= 0 && fd == fake_probe_fd) {
		int error = fake_fails(FAKE_LOOKUP, "");

		if (!error)
			memcpy(value, &fake_probe_answer, sizeof(fake_probe_answer));
		return error;
	}
	int error = fd < 0 ? -EBADF : fake_fails(FAKE_LOOKUP, "");

	if (!error) /* as many as fake_batch_step numbers, each 1 more than the key */
		for (uint32_t i = 0; i < fake_batch_step; i++)
			((uint64_t *)value)[i] = *(const uint32_t *)key + 1;
	return error;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)key;
	return fd < 0 ? -EBADF : fake_fails(FAKE_DELETE, "");
}

int bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *options)
{
	uint32_t at = in ? *(uint32_t *)in : 0, room = *count;
	int error = fd < 0 ? -EBADF : fake_fails(FAKE_BATCH, "");

	(void)options;
	*count = 0;
	if (error)
		return error;
	while (at < fake_batch_entries && *count < room && *count < fake_batch_step) {
		((uint64_t *)keys)[*count] = ++at;
		((uint64_t *)values)[(*count)++] = at * 10;
	}
	*(uint32_t *)out = at;
	if (at < fake_batch_entries)
		return 0;
	errno = ENOENT;
	return -ENOENT;
}

int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *options)
{
	int error = fd < 0 ? -EBADF : fake_fails(FAKE_RUN, "");

	if (error)
		return error;
	if (options->ctx_size_in != sizeof(fake_run_args))
		return -EINVAL;
	memcpy(fake_run_args, options->ctx_in, sizeof(fake_run_args));
	options->retval = (uint32_t)fake_run_result;
	return 0;
}

int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	int error = fd < 0 ? -EBADF : fake_fails(FAKE_INFO, "");
	struct bpf_prog_info *program = info;

	(void)size;
	if (error)
		return error;
	program->run_time_ns = 1000;
	program->run_cnt = 10;
	program->recursion_misses = 1;
	return 0;
}

int bpf_enable_stats(enum bpf_stats_type type)
{
	int error = type == BPF_STATS_RUN_TIME ? fake_fails(FAKE_STATS, "") : -EINVAL;

	return error ? error : fake_fd();
}

int libbpf_num_possible_cpus(void)
{
	int error = fake_fails(FAKE_CPUS, "");

	return error ? error : (int)fake_cpus;
}
