/* SPDX-License-Identifier: Apache-2.0 */
/* Error returns as libbpf 1.x gives them: NULL or a negative errno, and errno set as well. */
#include "fake_libbpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_system.h"
#include "load/hook_table.h"

#define FAULTS_MAX 16
#define MAPS_MAX 16
#define PROGRAMS_MAX 24
#define SETTINGS_MAX 256

struct bpf_map {
	const char *name;
	const struct bpf_object *object;
	uint32_t entries;
	int fd; /* -1 until loaded or reused */
};

struct bpf_program {
	const char *name;
	bool is_on;
	bool is_iterator;
	int fd;
};

struct bpf_object {
	char name[16];
	struct bpf_map maps[MAPS_MAX];
	size_t map_count;
	struct bpf_program programs[PROGRAMS_MAX];
	size_t program_count;
};

struct bpf_link {
	int fd;
};

static struct fault {
	enum fake_step step;
	const char *name;
	size_t left; /* successes before it */
	int error;
} faults[FAULTS_MAX];
static size_t fault_count;
static size_t live;
static char attached[512];
static libbpf_print_fn_t print;

static struct {
	char name[16];
	struct bpf_settings settings;
} settings_seen[SETTINGS_MAX];
static size_t settings_count;

static struct {
	const char *name;
	uint32_t entries;
} entries_seen[MAPS_MAX];
static size_t entries_count;

uint64_t fake_run_args[4];
int fake_run_result;
uint32_t fake_batch_entries, fake_batch_step, fake_cpus, fake_probe_answer;
int fake_probe_fd;
const char *fake_iterator_path;

void fake_reset(void)
{
	fault_count = settings_count = entries_count = live = 0;
	attached[0] = '\0';
	fake_run_result = 0;
	fake_batch_entries = 0;
	fake_batch_step = 100;
	fake_cpus = 4;
	fake_probe_answer = PROBE_PREEMPTION_OFF;
	fake_probe_fd = -1;
	fake_iterator_path = NULL;
	fake_system_reset();
}

void fake_fail_from(enum fake_step step, const char *name, size_t nth, int error)
{
	if (fault_count == FAULTS_MAX)
		abort();
	faults[fault_count++] = (struct fault){ step, name, nth, error };
}

void fake_fail(enum fake_step step, const char *name, int error)
{
	fake_fail_from(step, name, 0, error);
}

int fake_fails(enum fake_step step, const char *name)
{
	for (size_t i = 0; i < fault_count; i++) {
		if (faults[i].step != step || (faults[i].name && strcmp(faults[i].name, name) != 0))
			continue;
		if (faults[i].left) {
			faults[i].left--;
			continue;
		}
		errno = faults[i].error;
		return -faults[i].error;
	}
	return 0;
}

size_t fake_live(void)
{
	return live;
}

const char *fake_attached(void)
{
	return attached;
}

const struct bpf_settings *fake_settings(const char *object)
{
	for (size_t i = settings_count; i-- > 0;)
		if (strcmp(settings_seen[i].name, object) == 0)
			return &settings_seen[i].settings;
	return NULL;
}

uint32_t fake_entries(const char *map)
{
	for (size_t i = 0; i < entries_count; i++)
		if (strcmp(entries_seen[i].name, map) == 0)
			return entries_seen[i].entries;
	return 0;
}

void fake_note_entries(const char *name, uint32_t entries)
{
	if (entries_count == MAPS_MAX || fake_entries(name))
		return;
	entries_seen[entries_count].name = name;
	entries_seen[entries_count++].entries = entries;
}

int fake_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

__attribute__((format(printf, 2, 3))) static void complain(enum libbpf_print_level level,
							   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (print)
		print(level, format, args);
	va_end(args);
}

libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t function)
{
	libbpf_print_fn_t before = print;

	print = function;
	return before;
}

/* --- objects --- */

static void add_map(struct bpf_object *object, const char *name)
{
	if (object->map_count == MAPS_MAX)
		abort();
	object->maps[object->map_count++] =
		(struct bpf_map){ .name = name, .object = object, .entries = 8, .fd = -1 };
}

static void add_program(struct bpf_object *object, const char *name)
{
	if (object->program_count == PROGRAMS_MAX)
		abort();
	object->programs[object->program_count++] = (struct bpf_program){
		.name = name,
		.is_on = true,
		.is_iterator = strncmp(name, "walk_", 5) == 0,
		.fd = -1,
	};
}

struct bpf_object *bpf_object__open_mem(const void *bytes, size_t size,
					const struct bpf_object_open_opts *options)
{
	static const char *const maps[] = {
		"rings",	   "event_counts",     "kernel_counts",	   "process_by_tgid",
		"conn_by_sock",	   "listener_by_sock", "listener_by_port", "thread_waits",
		".rodata.settings"
	};
	struct bpf_object *object;

	if (!bytes || !size || fake_fails(FAKE_OPEN, options->object_name))
		return NULL;
	object = calloc(1, sizeof(*object));
	if (!object)
		return NULL;
	live++;
	snprintf(object->name, sizeof(object->name), "%s", options->object_name);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		add_map(object, maps[i]);
	if (strcmp(object->name, "syscall") == 0)
		add_map(object, "syscall_errors");
	if (strcmp(object->name, "control") == 0)
		add_program(object, "control");
	if (strcmp(object->name, "probe") == 0) {
		add_map(object, ".bss");
		add_program(object, "probe_preempt");
	}
	for (size_t i = 0; i < hook_table_length; i++)
		for (size_t j = 0; j < REPORT_ALTERNATIVES_MAX && hook_table[i].hooks[j].name; j++)
			if (strcmp(hook_table[i].family, object->name) == 0)
				add_program(object, hook_table[i].hooks[j].program);
	return object;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void bpf_object__close(struct bpf_object *object)
{
	if (!object)
		return;
	for (size_t i = 0; i < object->map_count; i++) {
		if (strcmp(object->maps[i].name, ".bss") == 0)
			fake_probe_fd = -1; /* its number may be given out again */
		close_fd(&object->maps[i].fd);
	}
	for (size_t i = 0; i < object->program_count; i++)
		close_fd(&object->programs[i].fd);
	free(object);
	live--;
}

static int load_program(const struct bpf_object *object, struct bpf_program *program)
{
	int error = fake_fails(FAKE_LOAD, program->name);

	if (error) {
		complain(LIBBPF_WARN, "libbpf: prog '%s': -- BEGIN PROG LOAD LOG --\nlong\n",
			 program->name);
		complain(LIBBPF_WARN, "libbpf: prog '%s': failed to load: %d\n", program->name,
			 error);
		complain(LIBBPF_DEBUG, "libbpf: object '%s': chatter\n", object->name);
		return error;
	}
	program->fd = fake_fd();
	return 0;
}

int bpf_object__load(struct bpf_object *object)
{
	size_t programs = 0;
	int error = fake_fails(FAKE_LOAD, object->name);

	for (size_t i = 0; !error && i < object->map_count; i++) {
		struct bpf_map *map = &object->maps[i];

		if (map->fd < 0)
			map->fd = fake_fd();
		if (strcmp(map->name, ".bss") == 0)
			fake_probe_fd = map->fd;
		fake_note_entries(map->name, map->entries);
	}
	for (size_t i = 0; !error && i < object->program_count; i++)
		if (object->programs[i].is_on) {
			programs++;
			error = load_program(object, &object->programs[i]);
		}
	if (!error && programs > 1)
		error = fake_fails(FAKE_LOAD_TOGETHER, object->name);
	return error;
}

struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *object, const char *name)
{
	for (size_t i = 0; i < object->map_count; i++)
		if (strcmp(object->maps[i].name, name) == 0)
			return (struct bpf_map *)&object->maps[i];
	errno = ENOENT;
	return NULL;
}

struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *object,
						     const char *name)
{
	for (size_t i = 0; i < object->program_count; i++)
		if (strcmp(object->programs[i].name, name) == 0)
			return (struct bpf_program *)&object->programs[i];
	errno = ENOENT;
	return NULL;
}

struct bpf_program *bpf_object__next_program(const struct bpf_object *object,
					     struct bpf_program *before)
{
	size_t next = before ? (size_t)(before - object->programs) + 1 : 0;

	return next < object->program_count ? (struct bpf_program *)&object->programs[next] : NULL;
}

/* --- maps --- */

int bpf_map__set_max_entries(struct bpf_map *map, __u32 entries)
{
	int error = fake_fails(FAKE_MAP_SIZE, map->name);

	if (!error)
		map->entries = entries;
	return error;
}

int bpf_map__set_inner_map_fd(struct bpf_map *map, int fd)
{
	return fd < 0 ? -EINVAL : fake_fails(FAKE_MAP_INNER, map->name);
}

int bpf_map__reuse_fd(struct bpf_map *map, int fd)
{
	int error = fd < 0 ? -EBADF : fake_fails(FAKE_MAP_REUSE, map->name);

	if (error)
		return error;
	map->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return map->fd < 0 ? -errno : 0;
}

int bpf_map__set_initial_value(struct bpf_map *map, const void *value, size_t size)
{
	int error = fake_fails(FAKE_MAP_VALUE, map->object->name);

	if (error)
		return error;
	if (size != sizeof(struct bpf_settings) || settings_count == SETTINGS_MAX)
		return -EINVAL;
	memcpy(&settings_seen[settings_count].settings, value, size);
	memcpy(settings_seen[settings_count].name, map->object->name, sizeof(map->object->name));
	settings_count++;
	return 0;
}

int bpf_map__fd(const struct bpf_map *map)
{
	return map->fd;
}

__u32 bpf_map__max_entries(const struct bpf_map *map)
{
	return map->entries;
}

/* --- programs and links --- */

int bpf_program__set_autoload(struct bpf_program *program, bool is_on)
{
	program->is_on = is_on;
	return 0;
}

int bpf_program__fd(const struct bpf_program *program)
{
	return program->fd;
}

const char *bpf_program__name(const struct bpf_program *program)
{
	return program->name;
}

enum bpf_attach_type bpf_program__expected_attach_type(const struct bpf_program *program)
{
	return program->is_iterator ? BPF_TRACE_ITER : BPF_TRACE_RAW_TP;
}

struct bpf_link *bpf_program__attach(const struct bpf_program *program)
{
	struct bpf_link *link;

	if (program->fd < 0)
		abort(); /* attached without being loaded */
	if (fake_fails(FAKE_ATTACH, program->name))
		return NULL;
	link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->fd = fake_fd();
	live++;
	snprintf(attached + strlen(attached), sizeof(attached) - strlen(attached), "%s ",
		 program->name);
	return link;
}

struct bpf_link *bpf_program__attach_iter(const struct bpf_program *program,
					  const struct bpf_iter_attach_opts *options)
{
	if (!program->is_iterator || !options->link_info ||
	    fcntl((int)options->link_info->map.map_fd, F_GETFD) < 0)
		abort();
	return bpf_program__attach(program);
}

int bpf_link__fd(const struct bpf_link *link)
{
	return link->fd;
}

int bpf_link__destroy(struct bpf_link *link)
{
	if (!link)
		return 0;
	close(link->fd);
	free(link);
	live--;
	return 0;
}
