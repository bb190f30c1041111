/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc knows of a process that was there before its exec could be seen, in the form of that event. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "correlate/process.h"

#define PROC_FILE_MAX \
	65536 /* of an environment or command line; what is longer is not looked through */
#define PROC_STAT_MAX 1024
#define STANDING_FILE_MAX 4096
#define LONG_ARGUMENT 64 /* what is kept of each argument when they do not all fit */
/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

struct proc_stat {
	char comm[16];
	char state;
	uint32_t parent_tgid;
	uint32_t flags;
	uint64_t threads;
	uint64_t start_ticks;
};

/* Returns bytes read, at most size; the file may go on. */
static int read_file(int proc_fd, const char *name, char *buffer, size_t size)
{
	_cleanup_close_ int fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (fd < 0)
		return -errno;
	while (used < size) {
		ssize_t got = read(fd, buffer + used, size - used);

		if (got < 0)
			return -errno;
		if (!got)
			break;
		used += (size_t)got;
	}
	return (int)used;
}

/* Source: proc(5), /proc/pid/stat. The name may hold spaces and brackets, so the last bracket counts. */
static int stat_parse(const char *text, struct proc_stat *ret_stat)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	struct proc_stat stat = { 0 };
	size_t length;

	if (!open || !close || close < open)
		return -EBADMSG;
	length = (size_t)(close - open) - 1;
	memcpy(stat.comm, open + 1,
	       length < sizeof(stat.comm) - 1 ? length : sizeof(stat.comm) - 1);
	if (sscanf(close + 1,
		   " %c %u %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %lu %*d %lu",
		   &stat.state, &stat.parent_tgid, &stat.flags, &stat.threads,
		   &stat.start_ticks) != 5)
		return -EBADMSG;
	*ret_stat = stat;
	return 0;
}

static int stat_read(int proc_fd, struct proc_stat *ret_stat)
{
	char text[PROC_STAT_MAX];
	int length = read_file(proc_fd, "stat", text, sizeof(text) - 1);

	if (length < 0)
		return length == -ENOENT ? -ESRCH : length;
	text[length] = '\0';
	return stat_parse(text, ret_stat);
}

/* Where the strings of the event go, one behind the other. */
struct exec_writer {
	struct event_process_exec *exec;
	char *at;
};

static __u16 put(struct exec_writer *writer, const char *text, size_t length)
{
	memcpy(writer->at, text, length);
	writer->at += length;
	return (__u16)length;
}

/* Of what is too long the end is kept: it has the name. */
static __u16 put_tail(struct exec_writer *writer, const char *text, size_t length, size_t limit)
{
	return length > limit ? put(writer, text + length - limit, limit) :
				put(writer, text, length);
}

static void put_path(struct exec_writer *writer, int proc_fd, const char *first_argument)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX];
	ssize_t got = readlinkat(proc_fd, "exe", path, sizeof(path));
	size_t length = got > 0 ? (size_t)got : 0;

	if (length > sizeof(deleted) - 1 &&
	    !memcmp(path + length - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1))
		length -= sizeof(deleted) - 1;
	/* Without the right to see it, what the program was called by must do. */
	writer->exec->path_bytes =
		length ? put_tail(writer, path, length, PROCESS_PATH_MAX) :
			 put_tail(writer, first_argument, strlen(first_argument), PROCESS_PATH_MAX);
}

/* An option that brings its value along (-Dkey=value, -XX:…) says nothing of what is run. */
static int is_closed_option(const char *argument)
{
	return argument[0] == '-' && strpbrk(argument, "=:");
}

/* Arguments that do not fit are shortened: Java's class paths would push out what names the program. */
static void put_args(struct exec_writer *writer, const char *args, size_t length)
{
	const char *end = args + length;
	char *start = writer->at;

	if (length <= PROCESS_ARGS_MAX) {
		writer->exec->args_bytes = put(writer, args, length);
		return;
	}
	for (size_t size; args < end; args += size) {
		size_t kept, room = PROCESS_ARGS_MAX - (size_t)(writer->at - start);

		size = strlen(args) + 1;
		if (is_closed_option(args) && writer->at != start)
			continue;
		kept = size > LONG_ARGUMENT ? LONG_ARGUMENT : size;
		if (kept > room)
			break;
		(void)put(writer, args + size - kept, kept);
	}
	writer->exec->args_bytes = (__u16)(writer->at - start);
}

/* Value of a variable in an environment block; empty when it is not there. */
static const char *environment_find(const char *environment, const char *end, const char *name)
{
	size_t length = strlen(name);

	for (; environment < end; environment += strlen(environment) + 1)
		if (!strncmp(environment, name, length) && environment[length] == '=')
			return environment + length + 1;
	return "";
}

static __u16 put_variable(struct exec_writer *writer, const char *environment, const char *end,
			  const char *name)
{
	const char *value = environment_find(environment, end, name);

	return put(writer, value, strnlen(value, PROCESS_ENV_MAX));
}

static void put_environment(struct exec_writer *writer, int proc_fd, char *buffer)
{
	int length = read_file(proc_fd, "environ", buffer, PROC_FILE_MAX);

	if (length == PROC_FILE_MAX)
		writer->exec->exec_flags |= PROCESS_ENV_PART;
	if (length < 0)
		length = 0; /* not ours to see: the name comes from elsewhere */
	buffer[length] = '\0';
	writer->exec->service_name_bytes =
		put_variable(writer, buffer, buffer + length, "OTEL_SERVICE_NAME");
	writer->exec->resource_attributes_bytes =
		put_variable(writer, buffer, buffer + length, "OTEL_RESOURCE_ATTRIBUTES");
}

/* How much a line of /proc/pid/cgroup says: version 1's systemd hierarchy holds the unit, version 2's
 * holds it too unless the machine runs both, and any other at least names the container. */
static int hierarchy_rank(const char *line, const char *path)
{
	if (!strcmp(path, "/"))
		return 0;
	if (strstr(line, ":name=systemd:"))
		return 3;
	return strncmp(line, "0::", 3) ? 1 : 2;
}

/* Source: cgroups(7), /proc/pid/cgroup: hierarchy:controllers:path. The path is in the buffer. */
static const char *read_cgroup(int proc_fd, char *buffer, size_t size)
{
	int length = read_file(proc_fd, "cgroup", buffer, size - 1);
	const char *best = "";
	char *next = buffer;
	int best_rank = 0;

	buffer[length < 0 ? 0 : length] = '\0';
	for (char *line; (line = strsep(&next, "\n"));) {
		char *path = strstr(line, ":/");
		int rank = path ? hierarchy_rank(line, path + 1) : 0;

		if (rank <= best_rank)
			continue;
		best = path + 1;
		best_rank = rank;
	}
	return best;
}

static void put_cgroup(struct exec_writer *writer, int proc_fd, char *buffer)
{
	const char *path = read_cgroup(proc_fd, buffer, PROC_FILE_MAX + 1);

	writer->exec->cgroup_bytes = put_tail(writer, path, strlen(path), PROCESS_CGROUP_MAX);
}

static int fill_event(struct exec_writer *writer, int proc_fd, const struct proc_stat *stat)
{
	struct event_process_exec *exec = writer->exec;
	_cleanup_free_ char *buffer = malloc(PROC_FILE_MAX + 1);
	int length;

	if (!buffer)
		return -ENOMEM;
	exec->start_ns = stat->start_ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
	exec->parent_tgid = stat->parent_tgid;
	exec->exec_flags = PROCESS_FOUND;
	memcpy(exec->comm, stat->comm, sizeof(exec->comm));
	length = read_file(proc_fd, "cmdline", buffer, PROC_FILE_MAX);
	length = length < 0 ? 0 : length;
	buffer[length] = '\0';
	put_path(writer, proc_fd, buffer);
	put_args(writer, buffer, (size_t)length);
	put_environment(writer, proc_fd, buffer);
	put_cgroup(writer, proc_fd, buffer);
	return 0;
}

static int open_process(uint32_t tgid)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%u", tgid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? (errno == ENOENT ? -ESRCH : -errno) : fd;
}

/* Kernel threads and processes whose last thread ends run no program. */
static int check_alive(const struct proc_stat *stat)
{
	bool is_ending = stat->state == 'X' || stat->state == 'Z' || stat->flags & PF_EXITING;

	return stat->flags & PF_KTHREAD || (is_ending && stat->threads <= 1) ? -ESRCH : 0;
}

int procfs_read_process(uint32_t tgid, void *buffer, size_t size)
{
	struct event_process_exec *exec = buffer;
	struct exec_writer writer = { exec, (char *)(exec + 1) };
	_cleanup_close_ int proc_fd = -1;
	struct proc_stat stat, after;
	int error;

	if (size < PROCFS_EVENT_MAX)
		return -EINVAL;
	proc_fd = open_process(tgid);
	if (proc_fd < 0)
		return proc_fd;
	error = stat_read(proc_fd, &stat);
	if (!error)
		error = check_alive(&stat);
	if (error)
		return error;
	memset(exec, 0, sizeof(*exec));
	error = fill_event(&writer, proc_fd, &stat);
	/* An open directory of /proc stays with its process: afterwards a new one gives ESRCH, not its data. */
	if (!error)
		error = stat_read(proc_fd, &after);
	if (error)
		return error;
	/* Its memory goes first: what was read may be nothing. */
	if (after.start_ticks != stat.start_ticks || after.flags & ~stat.flags & PF_EXITING)
		return -ESRCH;
	exec->header = (struct event_header){
		.ktime_ns = monotonic_ns(),
		.tgid = tgid,
		.kind = EVENT_PROCESS_EXEC,
		.size = (__u16)(writer.at - (char *)buffer),
	};
	return exec->header.size;
}

size_t procfs_rename(void *event, const char *service)
{
	struct event_process_exec *exec = event;
	char *name = (char *)(exec + 1) + exec->path_bytes + exec->args_bytes;
	const char *rest = name + exec->service_name_bytes,
		   *end = (char *)event + exec->header.size;
	size_t length = strlen(service);

	memmove(name + length, rest, (size_t)(end - rest));
	memcpy(name, service, length);
	exec->header.size = (__u16)(exec->header.size - exec->service_name_bytes + length);
	exec->service_name_bytes = (__u16)length;
	return exec->header.size;
}

/* Source: proc(5), /proc/pid/status: `Uid:` real, effective, saved, file system. */
static int read_owner(int proc_fd, char *buffer, size_t size, uint32_t *ret_owner)
{
	int length = read_file(proc_fd, "status", buffer, size - 1);
	const char *line;

	if (length < 0)
		return length;
	buffer[length] = '\0';
	line = strstr(buffer, "\nUid:");
	return line && sscanf(line, " Uid: %*u %u", ret_owner) == 1 ? 0 : -EBADMSG;
}

int procfs_read_standing(uint32_t tgid, struct procfs_standing *ret_standing)
{
	_cleanup_close_ int proc_fd = open_process(tgid);
	char buffer[STANDING_FILE_MAX];
	const char *cgroup;
	size_t length;
	int error;

	if (proc_fd < 0)
		return proc_fd;
	error = read_owner(proc_fd, buffer, sizeof(buffer), &ret_standing->owner);
	if (error)
		return error;
	cgroup = read_cgroup(proc_fd, buffer, sizeof(buffer));
	length = strnlen(cgroup, PROCESS_CGROUP_MAX);
	memcpy(ret_standing->cgroup, cgroup, length);
	ret_standing->cgroup[length] = '\0';
	return 0;
}

int procfs_each_process(int (*visit)(void *context, uint32_t tgid), void *context)
{
	DIR *proc = opendir("/proc");
	const struct dirent *item;
	int error = 0;

	if (!proc)
		return -errno;
	while (!error && (item = readdir(proc))) {
		char *end;
		unsigned long tgid = strtoul(item->d_name, &end, 10);

		if (end != item->d_name && !*end && tgid && tgid <= UINT32_MAX)
			error = visit(context, (uint32_t)tgid);
	}
	closedir(proc);
	return error;
}
