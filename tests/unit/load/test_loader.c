/* SPDX-License-Identifier: Apache-2.0 */
/* Every way on which a start can go, without a kernel: what is chosen, what is said, and that nothing is left open. */
#include "load/loader.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "failing_alloc.h"
#include "fake_libbpf.h"
#include "fake_system.h"
#include "load/hook_table.h"

#define CPUS 4 /* what fake_reset sets */
#define SHARDS CPUS

static const struct loader_options options = {
	.settings = { .prefix_bytes = 512, .tells_waits = 1 },
	.ring_bytes = 100000,
	.connections = 300,
	.processes = 200,
};

/* The result of a start, and whether everything comes back at the end. */
struct start {
	struct loader *loader;
	struct check_report *report;
	int error;
	int files_before;
};

static int count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static struct start start_with(const struct loader_options *with)
{
	struct start start = { .files_before = count_files() };

	start.error = loader_start(with, &start.loader, &start.report);
	return start;
}

static struct start start(void)
{
	return start_with(&options);
}

static void stop(struct start *started)
{
	loader_stop(&started->loader);
	assert_null(started->loader);
	free(started->report);
	assert_int_equal(fake_live(), 0);
	assert_int_equal(count_files(), started->files_before);
}

/* A start that fails: nothing is left at once. */
static void expect_failure(struct start *started, int error)
{
	assert_int_equal(started->error, error);
	assert_null(started->loader);
	assert_non_null(started->report);
	assert_int_equal(fake_live(), 0);
	assert_int_equal(count_files(), started->files_before);
}

static const struct signal_report *find_signal(const struct start *started, const char *name)
{
	for (size_t i = 0; i < started->report->signal_count; i++)
		if (strcmp(started->report->signals[i].signal, name) == 0)
			return &started->report->signals[i];
	fail_msg("no signal %s", name);
	return NULL;
}

static const char *hook_of(const struct start *started, const char *signal)
{
	const char *hook = find_signal(started, signal)->hook;

	return hook ? hook : "none";
}

static const char *reason_of(const struct start *started, const char *signal, size_t alternative)
{
	return find_signal(started, signal)->alternatives[alternative].reason;
}

static size_t count_working(const struct start *started)
{
	size_t working = 0;

	for (size_t i = 0; i < started->report->signal_count; i++)
		working += started->report->signals[i].hook != NULL;
	return working;
}

static int setup(void **state)
{
	(void)state;
	fake_reset();
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

/* --- everything works --- */

static void test_preferred_hooks(void **state)
{
	struct start started = start();

	(void)state;
	assert_int_equal(started.error, 0);
	assert_string_equal(started.report->fatal, "");
	assert_int_equal(count_working(&started), hook_table_length);
	for (size_t i = 0; i < hook_table_length; i++) {
		const struct signal_report *signal = &started.report->signals[i];

		assert_string_equal(signal->hook, hook_table[i].hooks[0].name);
		assert_true(signal->alternatives[0].is_ok);
		for (size_t j = 1; j < signal->alternative_count; j++)
			assert_false(signal->alternatives[j].is_tried);
	}
	/* Two iterators run once: what stays is an object a family and a link for each other hook. */
	assert_int_equal(fake_live(), 6 + hook_table_length - 2);
	/* What was there before is walked over last, when hooks see what comes. */
	assert_string_equal(
		fake_attached(),
		"probe_preempt exec__tp_btf fork__tp_btf last_exit__tp_btf state__tp_btf "
		"peer__tp_btf destroy__tp_btf retrans__tp_btf rst_tx__tp_btf rst_rx__tp_btf exit__tp_btf "
		"switch__tp_btf walk_listeners walk_connections walk_threads walk_queues ");
	stop(&started);
}

/* What nobody asked for is neither tried nor given room to. */
static void test_not_asked_for(void **state)
{
	struct loader_options without = options;
	struct start started;

	(void)state;
	without.settings.tells_waits = 0;
	started = start_with(&without);
	assert_int_equal(started.error, 0);
	assert_int_equal(count_working(&started), hook_table_length - 1);
	assert_true(find_signal(&started, "thread_switches")->is_off);
	assert_null(strstr(fake_attached(), "switch__"));
	assert_int_equal(fake_entries("thread_waits"), 1);
	stop(&started);
	fake_reset();
	fake_fail(FAKE_MAP_SIZE, "thread_waits", EBUSY);
	started = start_with(&without);
	assert_int_equal(started.error, -ENOTSUP);
	stop(&started);
}

static void expect_hooks(const struct start *started, const char *name)
{
	for (size_t i = 0; i < hook_table_length; i++)
		if (strcmp(hook_table[i].family, "walk") != 0)
			assert_string_equal(started->report->signals[i].hook, name);
}

/* Where programs are preempted, what processes do is seen by programs that are not, unless those fail. */
static void test_preempting_kernel(void **state)
{
	struct start started;

	(void)state;
	fake_probe_answer = PROBE_PREEMPTION_ON;
	started = start();
	assert_string_equal(
		fake_attached(),
		"probe_preempt exec__tp fork__tp last_exit__tp state__tp "
		"peer__tp_btf destroy__tp_btf retrans__tp_btf rst_tx__tp_btf rst_rx__tp_btf exit__tp "
		"switch__tp_btf walk_listeners walk_connections walk_threads walk_queues ");
	stop(&started);
	fake_fail(FAKE_ATTACH, "exit__tp", ENOENT);
	started = start();
	assert_string_equal(started.report->signals[0].hook, "tp_btf");
	assert_string_equal(started.report->signals[1].hook, HOOK_UNPREEMPTED);
	stop(&started);
}

/* One that cannot be asked is taken for one that does not. */
static void test_probe_fails(void **state)
{
	static const enum fake_step steps[] = { FAKE_OPEN, FAKE_LOAD };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct start started;

		fake_reset();
		fake_probe_answer = PROBE_PREEMPTION_ON;
		fake_fail(steps[i], "probe", EPERM);
		started = start();
		expect_hooks(&started, "tp_btf");
		stop(&started);
	}
	fake_reset();
	fake_probe_answer = PROBE_PREEMPTION_ON;
	fake_fail(FAKE_ATTACH, "probe_preempt", EPERM);
	{
		struct start started = start();

		expect_hooks(&started, "tp_btf");
		stop(&started);
	}
}

static void test_settings(void **state)
{
	static const char *const objects[] = { "control", "process", "tcp", "syscall", "walk" };
	struct start started = start();

	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		const struct bpf_settings *settings = fake_settings(objects[i]);

		assert_non_null(settings);
		assert_int_equal(settings->agent_tgid, getpid());
		assert_int_equal(settings->shard_mask, SHARDS - 1);
		assert_int_equal(settings->prefix_bytes, 512);
		assert_int_equal(settings->wake_bytes, 131072 / 4);
	}
	stop(&started);
}

static void test_sizes(void **state)
{
	struct start started = start();
	size_t count;

	(void)state;
	assert_int_equal(fake_entries("conn_by_sock"), 300);
	assert_int_equal(fake_entries("process_by_tgid"), 200);
	assert_int_equal(fake_entries("ring_shard"), 131072);
	assert_int_equal(fake_entries("ring_process"), 131072 / 8);
	assert_int_equal(loader_map_limit(started.loader, "conn_by_sock"), 300);
	assert_int_equal(loader_ring_bytes(started.loader, RING_PROCESS), 131072 / 8);
	assert_int_equal(loader_ring_bytes(started.loader, 1), 131072);
	assert_non_null(loader_rings(started.loader, &count));
	assert_int_equal(count, 1 + SHARDS);
	stop(&started);
}

static void test_smallest_rings(void **state)
{
	struct loader_options small = options;
	struct start started;

	(void)state;
	small.ring_bytes = 1;
	started = start_with(&small);
	assert_int_equal(loader_ring_bytes(started.loader, RING_PROCESS), sysconf(_SC_PAGESIZE));
	assert_int_equal(loader_ring_bytes(started.loader, 1), sysconf(_SC_PAGESIZE));
	stop(&started);
}

static size_t rings_with_cpus(uint32_t cpus)
{
	struct start started;
	size_t count;

	fake_cpus = cpus;
	started = start();
	(void)loader_rings(started.loader, &count);
	assert_int_equal(fake_settings("tcp")->shard_mask, count - 2);
	stop(&started);
	fake_reset();
	return count;
}

/* A power of two, no more than CPUs, and bounded. */
static void test_shards(void **state)
{
	(void)state;
	assert_int_equal(rings_with_cpus(1), 2);
	assert_int_equal(rings_with_cpus(3), 3);
	assert_int_equal(rings_with_cpus(6), 5);
	assert_int_equal(rings_with_cpus(64), RING_MAX);
}

static void test_unknown_cpus(void **state)
{
	struct start started;
	size_t count;

	(void)state;
	fake_fail(FAKE_CPUS, NULL, ENOENT);
	started = start();
	assert_int_equal(started.error, 0);
	(void)loader_rings(started.loader, &count);
	assert_int_equal(count, 2);
	stop(&started);
}

static void test_memlock_stays(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_MEMLOCK, NULL, EPERM);
	started = start();
	assert_int_equal(started.error, 0);
	stop(&started);
}

/* --- hooks that do not work --- */

static void test_second_after_load(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_LOAD, "exit__tp_btf", EINVAL);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "system_calls"), "raw_tp");
	assert_true(find_signal(&started, "system_calls")->alternatives[0].is_tried);
	assert_false(find_signal(&started, "system_calls")->alternatives[0].is_ok);
	/* The last thing that libbpf complained of, neither its debug chatter nor the program's log. */
	assert_string_equal(reason_of(&started, "system_calls", 0),
			    "libbpf: prog 'exit__tp_btf': failed to load: -22: Invalid argument");
	assert_string_equal(hook_of(&started, "tcp_state"), "tp_btf");
	assert_int_equal(count_working(&started), hook_table_length);
	stop(&started);
}

/* One program of a family does not cost the others theirs. */
static void test_second_after_attach(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_ATTACH, "state__tp_btf", ENOENT);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "tcp_state"), "raw_tp");
	assert_string_equal(reason_of(&started, "tcp_state", 0),
			    "attach: No such file or directory");
	assert_string_equal(hook_of(&started, "tcp_destroy"), "tp_btf");
	assert_non_null(strstr(fake_attached(), "state__raw_tp "));
	stop(&started);
}

static void test_signal_without_hook(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_LOAD, "retrans__tp_btf", EINVAL);
	fake_fail(FAKE_ATTACH, "retrans__raw_tp", EINVAL);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "tcp_retransmit"), "none");
	assert_string_not_equal(reason_of(&started, "tcp_retransmit", 0), "");
	assert_string_equal(reason_of(&started, "tcp_retransmit", 1), "attach: Invalid argument");
	assert_int_equal(count_working(&started), hook_table_length - 1);
	stop(&started);
}

static void test_family_lost(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_OPEN, "tcp", ENOEXEC);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "tcp_state"), "none");
	assert_string_equal(reason_of(&started, "tcp_state", 0), "load: Exec format error");
	assert_string_equal(reason_of(&started, "tcp_state", 1), "load: Exec format error");
	assert_string_equal(hook_of(&started, "system_calls"), "tp_btf");
	assert_int_equal(loader_map(started.loader, "syscall_errors") >= 0, true);
	stop(&started);
}

static void test_map_not_shared(void **state)
{
	struct start started;

	(void)state;
	fake_fail_from(FAKE_MAP_REUSE, "listener_by_port", 0, EINVAL);
	started = start();
	expect_failure(&started, -ENOTSUP);
	assert_string_equal(started.report->fatal, "no hook works on this kernel");
	stop(&started);
}

static void test_settings_refused(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_MAP_VALUE, "syscall", E2BIG);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "system_calls"), "none");
	assert_string_equal(hook_of(&started, "tcp_state"), "tp_btf");
	stop(&started);
}

static void test_not_together(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_LOAD_TOGETHER, "tcp", ENOMEM);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "tcp_state"), "none");
	assert_string_equal(reason_of(&started, "tcp_state", 0),
			    "works alone, but not with the other hooks of its family");
	assert_string_equal(hook_of(&started, "tcp_reset_sent"), "none");
	assert_string_equal(hook_of(&started, "process_exec"), "tp_btf");
	stop(&started);
}

static void test_iterator_refused(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_ITERATE, NULL, EPERM);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "open_listeners"), "none");
	assert_string_equal(reason_of(&started, "open_listeners", 0),
			    "attach: Operation not permitted");
	stop(&started);
}

static void test_iterator_unreadable(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_ITERATE_READ, NULL, EIO);
	started = start();
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "open_connections"), "none");
	assert_string_equal(reason_of(&started, "open_connections", 0), "attach: Is a directory");
	stop(&started);
}

static void count_record(void *context, const void *record)
{
	assert_non_null(record);
	(*(size_t *)context)++;
}

/* Walks that stay can be taken again; those that ran once, or are not there, cannot. */
static void test_walk(void **state)
{
	struct start started = start();
	size_t records = 0;

	(void)state;
	fake_iterator_path = "/proc/self/stat";
	assert_int_equal(loader_walk(started.loader, "threads", 1, count_record, &records), 0);
	assert_true(records > 0);
	assert_int_equal(loader_walk(started.loader, "open_listeners", 1, count_record, &records),
			 -ENOENT);
	stop(&started);
	fake_reset();
	fake_fail(FAKE_ATTACH, "walk_queues", EINVAL);
	started = start();
	assert_string_equal(hook_of(&started, "tcp_queues"), "none");
	assert_string_equal(hook_of(&started, "threads"), "iter");
	assert_int_equal(loader_walk(started.loader, "tcp_queues", 1, count_record, &records),
			 -ENOENT);
	stop(&started);
}

/* --- forced hooks --- */

static void test_forced(void **state)
{
	const struct forced_hook forced[] = { { "system_calls", "raw_tp" },
					      { "tcp_state", "tp_btf" } };
	struct loader_options with = options;
	struct start started;

	(void)state;
	with.forced = forced;
	with.forced_count = 2;
	started = start_with(&with);
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "system_calls"), "raw_tp");
	assert_string_equal(reason_of(&started, "system_calls", 0), "ruled out by --hook");
	assert_false(find_signal(&started, "system_calls")->alternatives[0].is_tried);
	assert_string_equal(hook_of(&started, "tcp_state"), "tp_btf");
	assert_string_equal(hook_of(&started, "process_exec"), "tp_btf");
	stop(&started);
}

/* There is no second choice behind a forced one. */
static void test_forced_that_fails(void **state)
{
	const struct forced_hook forced = { "system_calls", "raw_tp" };
	struct loader_options with = options;
	struct start started;

	(void)state;
	with.forced = &forced;
	with.forced_count = 1;
	fake_fail(FAKE_LOAD, "exit__raw_tp", EINVAL);
	started = start_with(&with);
	assert_int_equal(started.error, 0);
	assert_string_equal(hook_of(&started, "system_calls"), "none");
	assert_null(strstr(fake_attached(), " exit__tp_btf"));
	stop(&started);
}

static void expect_unknown(const char *signal, const char *hook)
{
	const struct forced_hook forced = { signal, hook };
	struct loader_options with = options;
	struct start started;

	with.forced = &forced;
	with.forced_count = 1;
	started = start_with(&with);
	expect_failure(&started, -EINVAL);
	assert_string_equal(fake_attached(), "");
	stop(&started);
}

static void test_forced_unknown(void **state)
{
	(void)state;
	expect_unknown("no_such_signal", "tp_btf");
	expect_unknown("tcp_state", "no_such_hook");
	expect_unknown("tcp_state", "iter"); /* another signal's */
	expect_unknown("", "");
}

/* --- nothing works --- */

static void test_every_hook_fails(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_ATTACH, NULL, EINVAL);
	started = start();
	expect_failure(&started, -ENOTSUP);
	assert_int_equal(count_working(&started), 0);
	assert_string_equal(started.report->fatal, "no hook works on this kernel");
	stop(&started);
}

static void test_every_family_fails(void **state)
{
	struct start started;

	(void)state;
	fake_fail_from(FAKE_OPEN, NULL, 1, EINVAL); /* the first is the control object */
	started = start();
	expect_failure(&started, -ENOTSUP);
	stop(&started);
}

/* Without a privilege it says which, with all of them who else may be in the way. */
static void test_not_permitted(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_MAP_CREATE, NULL, EPERM);
	fake_file(FAKE_STATUS, "CapEff:\t0000000000000000\n");
	started = start();
	expect_failure(&started, -ENOTSUP);
	assert_non_null(strstr(started.report->fatal, "CAP_BPF"));
	assert_non_null(strstr(started.report->fatal, "CAP_PERFMON"));
	stop(&started);
	fake_file(FAKE_STATUS, FAKE_ALL_CAPABILITIES);
	started = start();
	expect_failure(&started, -ENOTSUP);
	assert_non_null(strstr(started.report->fatal, "Operation not permitted"));
	stop(&started);
}

static void test_no_btf(void **state)
{
	struct start started;

	(void)state;
	fake_fail(FAKE_LOAD, "control", ESRCH);
	fake_file(FAKE_BTF, NULL);
	started = start();
	expect_failure(&started, -ENOTSUP);
	assert_non_null(strstr(started.report->fatal, "CONFIG_DEBUG_INFO_BTF"));
	assert_non_null(strstr(started.report->fatal, FAKE_BTF));
	stop(&started);
}

struct fault {
	enum fake_step step;
	const char *name;
	size_t nth;
	int error;
};

/* Nothing goes without the maps of the control object. */
static void test_control_steps(void **state)
{
	static const struct fault faults[] = {
		{ FAKE_MAP_CREATE, "ring_process", 0, ENOMEM },
		{ FAKE_MAP_CREATE, "ring_shard", 0, ENOMEM },
		{ FAKE_MAP_CREATE, "ring_shard", SHARDS - 1, ENOMEM },
		{ FAKE_OPEN, "control", 0, EINVAL },
		{ FAKE_MAP_VALUE, "control", 0, EINVAL },
		{ FAKE_MAP_SIZE, "conn_by_sock", 0, EBUSY },
		{ FAKE_MAP_SIZE, "process_by_tgid", 0, EBUSY },
		{ FAKE_MAP_INNER, "rings", 0, EINVAL },
		{ FAKE_LOAD, "control", 0, ENOMEM },
		{ FAKE_MAP_UPDATE, "", 0, E2BIG }, /* the entry of what nobody owns */
		{ FAKE_MAP_UPDATE, "", 1, E2BIG }, /* the rings */
		{ FAKE_MAP_UPDATE, "", 1 + SHARDS, E2BIG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct start started;

		fake_reset();
		fake_fail_from(faults[i].step, faults[i].name, faults[i].nth, faults[i].error);
		started = start();
		expect_failure(&started, -ENOTSUP);
		assert_non_null(strstr(started.report->fatal, strerror(faults[i].error)));
		assert_string_equal(fake_attached(), "");
		stop(&started);
	}
}

/* Any single step may fail, the first time or a later one: what is reported is attached, and all of it comes back. */
static void test_any_step(void **state)
{
	static const enum fake_step steps[] = { FAKE_OPEN,	 FAKE_LOAD,	  FAKE_ATTACH,
						FAKE_ITERATE,	 FAKE_MAP_CREATE, FAKE_MAP_SIZE,
						FAKE_MAP_REUSE,	 FAKE_MAP_INNER,  FAKE_MAP_VALUE,
						FAKE_MAP_UPDATE, FAKE_CPUS,	  FAKE_MEMLOCK };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		for (size_t nth = 0; nth < 40; nth++) {
			struct start started;

			fake_reset();
			fake_fail_from(steps[i], NULL, nth, EINVAL);
			started = start();
			assert_int_equal(started.error == 0, started.loader != NULL);
			assert_int_equal(started.error == 0, started.report->fatal[0] == '\0');
			assert_int_equal(started.error == 0, count_working(&started) > 0);
			stop(&started);
		}
}

static void test_no_memory(void **state)
{
	(void)state;
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct start started;

		fake_reset();
		started = start();
		assert_int_equal(started.error == 0, started.loader != NULL);
		if (!started.report)
			assert_int_equal(started.error, -ENOMEM);
		stop(&started);
	}
}

/* --- the running loader --- */

static void test_maps(void **state)
{
	struct start started = start();

	(void)state;
	assert_true(loader_map(started.loader, "conn_by_sock") >= 0);
	assert_true(loader_map(started.loader, "syscall_errors") >= 0);
	assert_int_equal(loader_map(started.loader, "no_such_map"), -ENOENT);
	assert_int_equal(loader_map_limit(started.loader, "no_such_map"), 0);
	stop(&started);
}

static void test_objects(void **state)
{
	struct start started = start();
	size_t count = 0;

	(void)state;
	while (loader_object(started.loader, count))
		count++;
	assert_int_equal(count, 6);
	assert_null(loader_object(started.loader, 1000));
	stop(&started);
	fake_fail(FAKE_OPEN, "process", EINVAL);
	started = start();
	for (count = 0; loader_object(started.loader, count);)
		count++;
	assert_int_equal(count, 5);
	stop(&started);
}

static void test_control(void **state)
{
	struct start started = start();

	(void)state;
	assert_int_equal(loader_control(started.loader, CONTROL_CONN_MODE, 11, 22, 33), 0);
	assert_int_equal(fake_run_args[0], CONTROL_CONN_MODE);
	assert_int_equal(fake_run_args[1], 11);
	assert_int_equal(fake_run_args[2], 22);
	assert_int_equal(fake_run_args[3], 33);
	fake_run_result = -1;
	assert_int_equal(loader_control(started.loader, CONTROL_LISTENER_READ, 1, 0, 0), -ENOENT);
	fake_fail(FAKE_RUN, NULL, EPERM);
	assert_int_equal(loader_control(started.loader, CONTROL_LISTENER_READ, 1, 0, 0), -EPERM);
	stop(&started);
}

static void test_stop_nothing(void **state)
{
	struct loader *none = NULL;

	(void)state;
	loader_stop(&none);
	assert_null(none);
}

static void test_check(void **state)
{
	struct start checked = { .files_before = count_files() };

	(void)state;
	assert_int_equal(load_check(&checked.report), 0);
	assert_int_equal(count_working(&checked), hook_table_length);
	stop(&checked);
	fake_fail(FAKE_MAP_CREATE, NULL, EPERM);
	assert_int_equal(load_check(&checked.report), 0);
	assert_string_not_equal(checked.report->fatal, "");
	stop(&checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_preferred_hooks, setup),
		cmocka_unit_test_setup(test_not_asked_for, setup),
		cmocka_unit_test_setup(test_preempting_kernel, setup),
		cmocka_unit_test_setup(test_probe_fails, setup),
		cmocka_unit_test_setup(test_settings, setup),
		cmocka_unit_test_setup(test_sizes, setup),
		cmocka_unit_test_setup(test_smallest_rings, setup),
		cmocka_unit_test_setup(test_shards, setup),
		cmocka_unit_test_setup(test_unknown_cpus, setup),
		cmocka_unit_test_setup(test_memlock_stays, setup),
		cmocka_unit_test_setup(test_second_after_load, setup),
		cmocka_unit_test_setup(test_second_after_attach, setup),
		cmocka_unit_test_setup(test_signal_without_hook, setup),
		cmocka_unit_test_setup(test_family_lost, setup),
		cmocka_unit_test_setup(test_map_not_shared, setup),
		cmocka_unit_test_setup(test_settings_refused, setup),
		cmocka_unit_test_setup(test_not_together, setup),
		cmocka_unit_test_setup(test_iterator_refused, setup),
		cmocka_unit_test_setup(test_iterator_unreadable, setup),
		cmocka_unit_test_setup(test_walk, setup),
		cmocka_unit_test_setup(test_forced, setup),
		cmocka_unit_test_setup(test_forced_that_fails, setup),
		cmocka_unit_test_setup(test_forced_unknown, setup),
		cmocka_unit_test_setup(test_every_hook_fails, setup),
		cmocka_unit_test_setup(test_every_family_fails, setup),
		cmocka_unit_test_setup(test_not_permitted, setup),
		cmocka_unit_test_setup(test_no_btf, setup),
		cmocka_unit_test_setup(test_control_steps, setup),
		cmocka_unit_test_setup(test_any_step, setup),
		cmocka_unit_test_setup(test_no_memory, setup),
		cmocka_unit_test_setup(test_maps, setup),
		cmocka_unit_test_setup(test_objects, setup),
		cmocka_unit_test_setup(test_control, setup),
		cmocka_unit_test_setup(test_stop_nothing, setup),
		cmocka_unit_test_setup(test_check, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
