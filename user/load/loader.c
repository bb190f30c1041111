/* SPDX-License-Identifier: Apache-2.0 */
/* Open → choose → load → attach. A family is first loaded with every signal's preferred hook; only when that fails
 * are its hooks tried one by one, so that the common start costs one load per family. */
#include "load/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "load/feature.h"
#include "load/hook_table.h"
#include "load/iterator.h"

#define FAMILY_CONTROL "control"
#define FAMILY_ASKED_FOR "sched" /* each switch costs: only with settings.tells_waits */
#define LINKS_MAX 16
/* More rings spare the kernel side waiting for each other, but each has its memory. */
#define SHARDS_MAX (RING_MAX - 1)
#define PROCESS_SHARE 8 /* processes come and go less often than bytes move */
#define WAKE_SHARE \
	4 /* a quarter full: leaves the reader some milliseconds at a million events a second */

/* Families in the order they start: maps first, then what fills them, then the walk over what was there before. */
static const char *const family_order[] = { FAMILY_CONTROL, "process",	      "tcp",
					    "syscall",	    FAMILY_ASKED_FOR, "walk" };
#define FAMILY_COUNT (sizeof(family_order) / sizeof(family_order[0]))

/* Maps that families share; the control object makes them. */
static const char *const shared_maps[] = {
	"rings",	"event_counts",	    "kernel_counts",	"process_by_tgid",
	"conn_by_sock", "listener_by_sock", "listener_by_port", "ignored_tgids",
	"unix_count",	"thread_places",    "thread_waits"
};

struct family {
	struct bpf_object *object;	   /* owned */
	struct bpf_link *links[LINKS_MAX]; /* owned */
	const char *signals[LINKS_MAX];	   /* of each link; borrowed from hook_table */
	size_t link_count;
};

struct loader {
	struct family families[FAMILY_COUNT];
	struct loader_options options;
	unsigned shards; /* connection rings */
	enum probe_answer
		preemption;  /* of raw tracepoint programs; where it is on, the kernel skips runs */
	int rings[RING_MAX]; /* owned */
	size_t ring_count;
	int control_fd; /* borrowed from the control object */
};

/* libbpf says why a load failed only through its print function; keep the last line of that. */
static __thread char last_complaint[160];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[sizeof(last_complaint)];

	if (level == LIBBPF_DEBUG && log_level_now() < LOG_LEVEL_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (level == LIBBPF_WARN && !strstr(line, "BEGIN PROG LOAD LOG"))
		memcpy(last_complaint, line, sizeof(line));
	log_debug("%s", line);
	return 0;
}

static bool is_off(const struct loader_options *options, const char *family)
{
	return !options->settings.tells_waits && strcmp(family, FAMILY_ASKED_FOR) == 0;
}

static struct check_report *report_new(const struct loader_options *options)
{
	struct check_report *report =
		calloc(1, sizeof(*report) + hook_table_length * sizeof(struct signal_report));
	struct utsname kernel;

	if (!report)
		return NULL;
	if (uname(&kernel) == 0)
		snprintf(report->kernel, sizeof(report->kernel), "%.63s %.60s", kernel.release,
			 kernel.machine);
	report->signal_count = hook_table_length;
	for (size_t i = 0; i < hook_table_length; i++) {
		struct signal_report *signal = &report->signals[i];

		signal->signal = hook_table[i].name;
		signal->target = hook_table[i].target;
		signal->loses = hook_table[i].loses;
		signal->is_off = is_off(options, hook_table[i].family);
		for (size_t j = 0; j < REPORT_ALTERNATIVES_MAX && hook_table[i].hooks[j].name; j++)
			signal->alternatives[signal->alternative_count++].hook =
				hook_table[i].hooks[j].name;
	}
	return report;
}

/* Rule out what --hook rules out. */
static int report_apply_forced(struct check_report *report, const struct loader_options *options)
{
	for (size_t i = 0; i < options->forced_count; i++) {
		bool is_known = false;

		for (size_t j = 0; j < report->signal_count; j++) {
			struct signal_report *signal = &report->signals[j];

			if (strcmp(signal->signal, options->forced[i].signal) != 0)
				continue;
			for (size_t k = 0; k < signal->alternative_count; k++) {
				struct alternative_report *alternative = &signal->alternatives[k];

				if (strcmp(alternative->hook, options->forced[i].hook) == 0)
					is_known = true;
				else
					snprintf(alternative->reason, sizeof(alternative->reason),
						 "ruled out by --hook");
			}
		}
		if (!is_known)
			return -EINVAL;
	}
	return 0;
}

/* The alternative to use next for a signal: the first that nothing speaks against, or NULL. On a kernel that preempts
 * programs, one that is not comes before all others. */
static struct alternative_report *alternative_next(const struct loader *loader,
						   struct signal_report *signal)
{
	struct alternative_report *first = NULL;

	if (signal->is_off)
		return NULL;
	for (size_t i = 0; i < signal->alternative_count; i++) {
		struct alternative_report *alternative = &signal->alternatives[i];

		if (alternative->reason[0])
			continue;
		if (!first)
			first = alternative;
		if (loader->preemption == PROBE_PREEMPTION_ON &&
		    strcmp(alternative->hook, HOOK_UNPREEMPTED) == 0)
			return alternative;
	}
	return first;
}

static const char *alternative_program(size_t row, const struct signal_report *signal,
				       const struct alternative_report *alternative)
{
	return hook_table[row].hooks[alternative - signal->alternatives].program;
}

static void alternative_fail(struct alternative_report *alternative, const char *operation,
			     int error)
{
	alternative->is_tried = true;
	alternative->is_ok = false;
	snprintf(alternative->reason, sizeof(alternative->reason), "%.120s: %s", operation,
		 strerror(error));
}

static void family_close(struct family *family)
{
	while (family->link_count)
		bpf_link__destroy(family->links[--family->link_count]);
	bpf_object__close(family->object);
	family->object = NULL;
}

static int size_maps(struct bpf_object *object, const struct loader *loader)
{
	const struct loader_options *options = &loader->options;
	int error;

	error = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "conn_by_sock"),
					 (uint32_t)options->connections);
	if (error)
		return error;
	error = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "process_by_tgid"),
					 (uint32_t)options->processes);
	if (error)
		return error;
	if (!options->settings.tells_waits) { /* a megabyte that nobody would look at */
		error = bpf_map__set_max_entries(
			bpf_object__find_map_by_name(object, "thread_waits"), 1);
		if (error)
			return error;
	}
	/* A real ring as the pattern: the one in the object is 4 KiB, which is no whole page everywhere. */
	return bpf_map__set_inner_map_fd(bpf_object__find_map_by_name(object, "rings"),
					 loader->rings[0]);
}

static int reuse_maps(struct bpf_object *object, const struct loader *loader)
{
	for (size_t i = 0; i < sizeof(shared_maps) / sizeof(shared_maps[0]); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, shared_maps[i]);
		int error;

		if (!map)
			continue;
		error = bpf_map__reuse_fd(map, loader_map(loader, shared_maps[i]));
		if (error)
			return error;
	}
	return 0;
}

static int family_open(const struct loader *loader, const char *name,
		       struct bpf_object **ret_object)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .object_name = name);
	struct bpf_object *object;
	struct bpf_map *settings;
	size_t size;
	const void *bytes = hook_family_object(name, loader->preemption != PROBE_UNKNOWN, &size);
	int error;

	object = bytes ? bpf_object__open_mem(bytes, size, &open_options) : NULL;
	if (!object)
		return bytes ? -errno : -ENOENT;
	settings = bpf_object__find_map_by_name(object, ".rodata.settings");
	error = settings ? bpf_map__set_initial_value(settings, &loader->options.settings,
						      sizeof(loader->options.settings)) :
			   0; /* an object that reads none */
	if (!error && strcmp(name, FAMILY_CONTROL) == 0)
		error = size_maps(object, loader);
	else if (!error)
		error = reuse_maps(object, loader);
	if (error) {
		bpf_object__close(object);
		return error;
	}
	*ret_object = object;
	return 0;
}

/* Open a family with only the chosen programs switched on; `only` picks a single row, SIZE_MAX all. */
static int family_open_chosen(const struct loader *loader, const char *name,
			      struct check_report *report, size_t only,
			      struct bpf_object **ret_object)
{
	struct bpf_object *object;
	struct bpf_program *program;
	int error = family_open(loader, name, &object);

	if (error)
		return error;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, false);
	for (size_t row = 0; row < hook_table_length; row++) {
		struct alternative_report *alternative =
			alternative_next(loader, &report->signals[row]);

		if (!alternative || strcmp(hook_table[row].family, name) != 0 ||
		    (only != SIZE_MAX && only != row))
			continue;
		program = bpf_object__find_program_by_name(
			object, alternative_program(row, &report->signals[row], alternative));
		bpf_program__set_autoload(program, true);
	}
	*ret_object = object;
	return 0;
}

/* The walk over a map is told which one. */
static struct bpf_link *attach_program(const struct family *family, const char *map,
				       const struct bpf_program *program)
{
	union bpf_iter_link_info info = { 0 };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info,
		    .link_info_len = sizeof(info));

	if (!map)
		return bpf_program__attach(program);
	info.map.map_fd = (uint32_t)bpf_map__fd(bpf_object__find_map_by_name(family->object, map));
	return bpf_program__attach_iter(program, &options);
}

/* An iterator runs once, now, and stays only if it is to run again; everything else stays attached. */
static int attach(struct family *family, const struct signal_row *row, struct bpf_program *program)
{
	bool is_iterator = bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;
	const char *map = NULL;
	bool is_repeated = hook_is_repeated(row, &map);
	struct bpf_link *link;
	int error = 0;

	if (family->link_count == LINKS_MAX)
		return -E2BIG;
	link = attach_program(family, map, program);
	if (!link)
		return -errno;
	if (is_iterator)
		error = iterator_run(bpf_link__fd(link), 0, NULL, NULL);
	if (error || (is_iterator && !is_repeated)) {
		bpf_link__destroy(link);
		return error;
	}
	family->signals[family->link_count] = row->name;
	family->links[family->link_count++] = link;
	return 0;
}

/* Attach each chosen program. Returns how many failed (marked in the report). */
static size_t family_attach(const struct loader *loader, struct family *family, const char *name,
			    struct check_report *report, size_t only)
{
	size_t failed = 0;

	for (size_t row = 0; row < hook_table_length; row++) {
		struct signal_report *signal = &report->signals[row];
		struct alternative_report *alternative = alternative_next(loader, signal);
		int error;

		if (!alternative || strcmp(hook_table[row].family, name) != 0 ||
		    (only != SIZE_MAX && only != row))
			continue;
		error = attach(family, &hook_table[row],
			       bpf_object__find_program_by_name(family->object,
								alternative_program(row, signal,
										    alternative)));
		if (error) {
			alternative_fail(alternative, "attach", -error);
			failed++;
			continue;
		}
		alternative->is_tried = true;
		alternative->is_ok = true;
		signal->hook = alternative->hook;
	}
	return failed;
}

/* Load one row's hooks by themselves, one after the other, until one loads and attaches. */
static void family_try_row(const struct loader *loader, const char *name,
			   struct check_report *report, size_t row)
{
	struct alternative_report *alternative;

	while ((alternative = alternative_next(loader, &report->signals[row]))) {
		struct family trial = { 0 };
		size_t failed = 1;
		int error;

		last_complaint[0] = '\0';
		error = family_open_chosen(loader, name, report, row, &trial.object);
		if (!error)
			error = bpf_object__load(trial.object);
		if (!error)
			failed = family_attach(loader, &trial, name, report, row);
		else
			alternative_fail(alternative, last_complaint[0] ? last_complaint : "load",
					 -error);
		family_close(&trial);
		if (!failed)
			return;
	}
	report->signals[row].hook = NULL;
}

static void family_forget_use(const char *name, struct check_report *report)
{
	for (size_t row = 0; row < hook_table_length; row++)
		if (strcmp(hook_table[row].family, name) == 0)
			report->signals[row].hook = NULL;
}

static int family_load_chosen(struct loader *loader, struct family *family, const char *name,
			      struct check_report *report)
{
	int error = family_open_chosen(loader, name, report, SIZE_MAX, &family->object);

	if (!error)
		error = bpf_object__load(family->object);
	if (!error && family_attach(loader, family, name, report, SIZE_MAX))
		error = -EAGAIN;
	if (error) {
		family_close(family);
		family_forget_use(name, report);
	}
	return error;
}

static void family_give_up(const struct loader *loader, const char *name,
			   struct check_report *report)
{
	for (size_t row = 0; row < hook_table_length; row++) {
		struct alternative_report *alternative =
			strcmp(hook_table[row].family, name) == 0 ?
				alternative_next(loader, &report->signals[row]) :
				NULL;

		if (!alternative)
			continue;
		alternative->is_ok = false;
		snprintf(alternative->reason, sizeof(alternative->reason),
			 "works alone, but not with the other hooks of its family");
	}
	log_warn("hooks of the %s family load one by one but not together; going without them",
		 name);
}

static void family_start(struct loader *loader, struct family *family, const char *name,
			 struct check_report *report)
{
	if (family_load_chosen(loader, family, name, report) == 0)
		return;
	for (size_t row = 0; row < hook_table_length; row++)
		if (strcmp(hook_table[row].family, name) == 0)
			family_try_row(loader, name, report, row);
	family_forget_use(name, report);
	if (family_load_chosen(loader, family, name, report))
		family_give_up(loader, name, report);
}

/* Round up to what a ring buffer takes: a power of two of pages. */
static size_t ring_size(size_t bytes)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	while (size < bytes)
		size *= 2;
	return size;
}

static int make_rings(struct loader *loader)
{
	for (uint32_t i = 0; i <= loader->shards; i++) {
		int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF,
					i == RING_PROCESS ? "ring_process" : "ring_shard", 0, 0,
					(uint32_t)loader_ring_bytes(loader, i), NULL);

		if (fd < 0)
			return -errno;
		loader->rings[loader->ring_count++] = fd;
	}
	return 0;
}

static int publish_rings(const struct loader *loader)
{
	int outer = loader_map(loader, "rings");

	for (uint32_t i = 0; i < loader->ring_count; i++)
		if (bpf_map_update_elem(outer, &i, &loader->rings[i], BPF_ANY))
			return -errno;
	return 0;
}

static int start_control(struct loader *loader)
{
	struct process_state unattributed = { 0 };
	uint32_t tgid = 0;
	int error = make_rings(loader);

	if (!error)
		error = family_open(loader, FAMILY_CONTROL, &loader->families[0].object);
	if (error)
		return error;
	error = bpf_object__load(loader->families[0].object);
	if (error)
		return error;
	loader->control_fd = bpf_program__fd(
		bpf_object__find_program_by_name(loader->families[0].object, FAMILY_CONTROL));
	if (bpf_map_update_elem(loader_map(loader, "process_by_tgid"), &tgid, &unattributed,
				BPF_ANY))
		return -errno;
	return publish_rings(loader);
}

static enum probe_answer probe_attached(struct bpf_object *object)
{
	uint32_t zero = 0, answer = PROBE_UNKNOWN;
	int fd = bpf_map__fd(bpf_object__find_map_by_name(object, ".bss"));
	struct bpf_link *link =
		bpf_program__attach(bpf_object__find_program_by_name(object, "probe_preempt"));

	if (!link)
		return PROBE_UNKNOWN;
	(void)syscall(SYS_getppid); /* any call will do: the probe looks at its end */
	bpf_link__destroy(link);
	return bpf_map_lookup_elem(fd, &zero, &answer) ? PROBE_UNKNOWN : answer;
}

/* A kernel that cannot be asked is taken for one that does not preempt: older ones. */
static enum probe_answer probe_preemption(const struct loader *loader)
{
	enum probe_answer answer = PROBE_UNKNOWN;
	struct bpf_object *object = NULL;

	if (family_open(loader, "probe", &object))
		return PROBE_UNKNOWN;
	if (bpf_object__load(object) == 0)
		answer = probe_attached(object);
	bpf_object__close(object);
	return answer;
}

/* A power of two, because the kernel side masks. */
static unsigned choose_shards(void)
{
	int cpus = libbpf_num_possible_cpus();
	unsigned shards = 1;

	while ((int)shards * 2 <= cpus && shards * 2 <= SHARDS_MAX)
		shards *= 2;
	return shards;
}

static void report_finish(struct check_report *report, int load_error)
{
	size_t working = 0;

	for (size_t i = 0; i < report->signal_count; i++)
		if (report->signals[i].hook)
			working++;
	if (!working) {
		feature_explain(load_error, report->fatal, sizeof(report->fatal));
		if (!report->fatal[0])
			snprintf(report->fatal, sizeof(report->fatal),
				 "no hook works on this kernel");
	}
}

int loader_start(const struct loader_options *options, struct loader **ret_loader,
		 struct check_report **ret_report)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	struct check_report *report = report_new(options);
	int error = loader && report ? 0 : -ENOMEM;

	*ret_report = report;
	if (error)
		goto fail;
	libbpf_set_print(keep_complaint);
	if (feature_lift_memlock())
		log_debug("RLIMIT_MEMLOCK stays as it is: no CAP_SYS_RESOURCE");
	loader->options = *options;
	loader->shards = choose_shards();
	loader->options.ring_bytes = ring_size(options->ring_bytes);
	loader->options.settings.wake_bytes = (uint32_t)(loader->options.ring_bytes / WAKE_SHARE);
	loader->options.settings.agent_tgid = (uint32_t)getpid();
	loader->options.settings.shard_mask = loader->shards - 1;
	loader->options.settings.tick_us = clock_tick_us();
	loader->options.settings.unix_connections = (uint32_t)(options->connections / 2);
	error = report_apply_forced(report, options);
	if (error)
		goto fail;
	error = start_control(loader);
	if (error) {
		report_finish(report, -error);
		error = -ENOTSUP;
		goto fail;
	}
	loader->preemption = probe_preemption(loader);
	for (size_t i = 1; i < FAMILY_COUNT; i++)
		if (!is_off(options, family_order[i]))
			family_start(loader, &loader->families[i], family_order[i], report);
	report_finish(report, 0);
	(void)malloc_trim(
		0); /* the kernel's BTF was read several times: ten MiB that are not needed again */
	if (report->fatal[0]) {
		error = -ENOTSUP;
		goto fail;
	}
	*ret_loader = loader;
	return 0;
fail:
	loader_stop(&loader);
	return error;
}

void loader_stop(struct loader **loader_slot)
{
	struct loader *loader = *loader_slot;

	if (!loader)
		return;
	for (size_t i = FAMILY_COUNT; i-- > 0;)
		family_close(&loader->families[i]);
	while (loader->ring_count)
		close(loader->rings[--loader->ring_count]);
	free(loader);
	*loader_slot = NULL;
}

int load_check(struct check_report **ret_report)
{
	struct loader_options options = {
		.settings = { .prefix_bytes = 1024, .tells_threads = 1, .tells_waits = 1 },
		.ring_bytes = 4096,
		.connections = 64,
		.processes = 64
	};
	struct loader *loader = NULL;

	(void)loader_start(&options, &loader, ret_report); /* the report says how it went */
	loader_stop(&loader);
	return *ret_report ? 0 : -ENOMEM;
}

static const struct bpf_map *find_map(const struct loader *loader, const char *name)
{
	const struct bpf_map *map = NULL;

	for (size_t i = 0; i < FAMILY_COUNT && !map; i++)
		if (loader->families[i].object)
			map = bpf_object__find_map_by_name(loader->families[i].object, name);
	return map;
}

int loader_map(const struct loader *loader, const char *name)
{
	const struct bpf_map *map = find_map(loader, name);

	return map ? bpf_map__fd(map) : -ENOENT;
}

size_t loader_map_limit(const struct loader *loader, const char *name)
{
	const struct bpf_map *map = find_map(loader, name);

	return map ? bpf_map__max_entries(map) : 0;
}

struct bpf_object *loader_object(const struct loader *loader, size_t i)
{
	for (size_t family = 0; family < FAMILY_COUNT; family++)
		if (loader->families[family].object && i-- == 0)
			return loader->families[family].object;
	return NULL;
}

int loader_walk(const struct loader *loader, const char *signal, size_t record_bytes,
		void (*visit)(void *context, const void *record), void *context)
{
	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		const struct family *family = &loader->families[i];

		for (size_t j = 0; j < family->link_count; j++)
			if (strcmp(family->signals[j], signal) == 0)
				return iterator_run(bpf_link__fd(family->links[j]), record_bytes,
						    visit, context);
	}
	return -ENOENT;
}

const int *loader_rings(const struct loader *loader, size_t *ret_count)
{
	*ret_count = loader->ring_count;
	return loader->rings;
}

size_t loader_ring_bytes(const struct loader *loader, size_t ring)
{
	return ring == RING_PROCESS ? ring_size(loader->options.ring_bytes / PROCESS_SHARE) :
				      loader->options.ring_bytes;
}

bool loader_is_preempting(const struct loader *loader)
{
	return loader->preemption == PROBE_PREEMPTION_ON;
}

int loader_control(const struct loader *loader, enum control_op op, uint64_t key, uint64_t id,
		   uint64_t value)
{
	uint64_t args[] = { op, key, id, value };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

	if (bpf_prog_test_run_opts(loader->control_fd, &run))
		return -errno;
	return run.retval ? -ENOENT : 0;
}
