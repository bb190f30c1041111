/* SPDX-License-Identifier: Apache-2.0 */
/* Control groups: files as kernels write them, what is none, who is told of which group, and what finds no room. */
#include "agent/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/cgroup_mount.h"
#include "aggregate/labels.h"
#include "aggregate/snapshot.h"
#include "failing_alloc.h"

#define LIMIT 4
#define GROUPS 3 /* that have a folder, from 1 */
#define UNTOLD UINT64_MAX
#define QUOTA \
	"usage_usec 5\nuser_usec 3\nnr_periods %u\nnr_throttled %u\nthrottled_usec %u\nnr_bursts 1\n"

static const char *const names[] = { "cpu.stat", "cpu.pressure", "memory.pressure", "io.pressure" };

static char top[64];
static struct series_store *store;
static struct cgroups *cgroups;

static void path_of(uint64_t id, const char *name, char ret_path[128])
{
	snprintf(ret_path, 128, "%s/%u/%s", top, (unsigned)id, name);
}

static int open_folder(void *context, uint64_t id)
{
	char path[128];
	int fd;

	assert_ptr_equal(context, top);
	path_of(id, "", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void put(uint64_t id, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	path_of(id, name, path);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs(text, file);
	fclose(file);
}

static void put_quota(uint64_t id, unsigned periods, unsigned throttled, unsigned us)
{
	char text[256];

	snprintf(text, sizeof(text), QUOTA, periods, throttled, us);
	put(id, "cpu.stat", text);
}

static void put_pressure(uint64_t id, const char *name, unsigned some, unsigned full)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "some avg10=0.10 avg60=0.00 avg300=0.00 total=%u\n"
		 "full avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n",
		 some, full);
	put(id, name, text);
}

static int begin(void **state)
{
	(void)state;
	strcpy(top, "/tmp/sonde-cgroups-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	for (uint64_t id = 1; id <= GROUPS; id++) {
		char path[128];

		path_of(id, "", path);
		if (mkdir(path, 0700))
			return -1;
	}
	store = series_store_new(100);
	cgroups = store ? cgroups_new(store, LIMIT, open_folder, top) : NULL;
	return cgroups ? 0 : -1;
}

static int end(void **state)
{
	char path[128];

	(void)state;
	cgroups_free(&cgroups);
	series_store_free(&store);
	for (uint64_t id = 1; id <= GROUPS; id++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			path_of(id, names[i], path);
			(void)unlink(path);
		}
		path_of(id, "", path);
		(void)rmdir(path);
	}
	return rmdir(top);
}

/* A round in which each service of the list (ended by NULL) has a process in the group of its place. */
static void round_of(const char *const services[], const uint64_t ids[])
{
	cgroups_begin(cgroups);
	for (size_t i = 0; services[i]; i++)
		cgroups_member(cgroups, ids[i], services[i]);
	cgroups_end(cgroups);
}

static void round_one(void)
{
	round_of((const char *const[]){ "shop", NULL }, (const uint64_t[]){ 1 });
}

static uint64_t total_of(enum metric metric, const char *service, const char *resource,
			 const char *kind)
{
	struct snapshot *snapshot = series_snapshot(store);
	uint64_t total = UNTOLD;
	size_t count;
	const struct sample *samples = snapshot_samples(snapshot, metric, &count);

	for (size_t i = 0; i < count; i++) {
		const char *first = samples[i].values, *second = labels_next(first);

		if (strcmp(first, service) == 0 &&
		    (!resource ||
		     (strcmp(second, resource) == 0 && strcmp(labels_next(second), kind) == 0)))
			total = samples[i].total;
	}
	snapshot_unref(&snapshot);
	return total;
}

static uint64_t cpu_some(const char *service)
{
	return total_of(METRIC_CGROUP_PRESSURE, service, "cpu", "some");
}

static void grown_since_met(void **state)
{
	(void)state;
	put_quota(1, 100, 50, 7000);
	put_pressure(1, "cpu.pressure", 1000, 10);
	put_pressure(1, "io.pressure", 5, 5);
	round_one();
	assert_int_equal(total_of(METRIC_CGROUP_CPU_PERIODS, "shop", NULL, NULL), 0);
	assert_int_equal(cpu_some("shop"), UNTOLD);
	put_quota(1, 110, 53, 7500);
	put_pressure(1, "cpu.pressure", 1300, 10);
	round_one();
	assert_int_equal(total_of(METRIC_CGROUP_CPU_PERIODS, "shop", NULL, NULL), 10);
	assert_int_equal(total_of(METRIC_CGROUP_CPU_THROTTLED_PERIODS, "shop", NULL, NULL), 3);
	assert_int_equal(total_of(METRIC_CGROUP_CPU_THROTTLED, "shop", NULL, NULL), 500000);
	assert_int_equal(cpu_some("shop"), 300000);
	assert_int_equal(total_of(METRIC_CGROUP_PRESSURE, "shop", "cpu", "full"), UNTOLD);
	round_one(); /* nothing new */
	assert_int_equal(cpu_some("shop"), 300000);
}

static void no_quota_is_not_told(void **state)
{
	(void)state;
	put(1, "cpu.stat", "usage_usec 5\nuser_usec 3\n"); /* no CPU controller here */
	round_one();
	put_quota(1, 0, 0, 0);
	round_one();
	assert_int_equal(total_of(METRIC_CGROUP_CPU_PERIODS, "shop", NULL, NULL), UNTOLD);
	put_quota(1, 4, 0, 0);
	round_one();
	assert_int_equal(total_of(METRIC_CGROUP_CPU_PERIODS, "shop", NULL, NULL), 4);
	assert_int_equal(total_of(METRIC_CGROUP_CPU_THROTTLED_PERIODS, "shop", NULL, NULL), 0);
}

static void shared_and_several(void **state)
{
	const char *const services[] = { "one", "other", "one", "one", NULL };
	const uint64_t ids[] = { 1, 1, 1, 2 };

	(void)state;
	put_pressure(1, "cpu.pressure", 100, 0);
	put_pressure(2, "cpu.pressure", 100, 0);
	round_of(services, ids);
	put_pressure(1, "cpu.pressure", 103, 0);
	put_pressure(2, "cpu.pressure", 104, 0);
	round_of(services, ids);
	assert_int_equal(cpu_some("one"),
			 7000); /* its two processes in the first group count once */
	assert_int_equal(cpu_some("other"), 3000);
}

/* Of a file that is not what it was, or gone, or long, nothing is told, and nothing is told twice when it is back. */
static void damaged_files(void **state)
{
	static const char *const texts[] = { "",
					     "some",
					     "some ",
					     "some total=",
					     "some avg10=1 total=x\n",
					     "some total=-5\n",
					     "\n\n\n",
					     "full avg10=0.00 total=99999\n",
					     "something total=99999\n",
					     "some avg10=1\nfull total=99999\n" };

	(void)state;
	put_pressure(1, "cpu.pressure", 100, 0);
	round_one();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(1, "cpu.pressure", texts[i]);
		round_one();
		assert_int_equal(cpu_some("shop"), UNTOLD);
	}
	put(1, "cpu.pressure", "some total=50\n"); /* lower: from there on */
	round_one();
	assert_int_equal(cpu_some("shop"), UNTOLD);
	put(1, "cpu.pressure", "some total=60"); /* no end of line */
	round_one();
	assert_int_equal(cpu_some("shop"), 10000);
}

static void cut_files(void **state)
{
	char text[256];
	size_t length;

	(void)state;
	put_pressure(1, "cpu.pressure", 100000, 0);
	round_one();
	length = (size_t)snprintf(text, sizeof(text), "some avg10=0.10 avg60=0.00 total=100000\n");
	while (length--) {
		text[length] = '\0';
		put(1, "cpu.pressure", text);
		round_one();
		assert_true(cpu_some("shop") == UNTOLD || cpu_some("shop") < 1000000000);
	}
}

static void a_long_file(void **state)
{
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put(1, "cpu.stat", text);
	round_one();
	assert_int_equal(total_of(METRIC_CGROUP_CPU_PERIODS, "shop", NULL, NULL), UNTOLD);
}

static void groups_that_cannot_be_read(void **state)
{
	struct cgroups_figures figures;

	(void)state;
	round_of((const char *const[]){ "shop", "gone", NULL }, (const uint64_t[]){ 1, 99 });
	cgroups_read(cgroups, &figures);
	assert_int_equal(figures.read, 1);
	assert_int_equal(figures.unreadable, 1);
	round_one();
	cgroups_read(cgroups, &figures);
	assert_int_equal(figures.unreadable, 0);
}

static void full_tables(void **state)
{
	struct cgroups_figures figures;

	(void)state;
	cgroups_begin(cgroups);
	for (uint64_t id = 1; id <= LIMIT + 2; id++)
		cgroups_member(cgroups, id, "shop");
	cgroups_member(cgroups, 1, "other"); /* there is its group, but no room for the pair */
	cgroups_end(cgroups);
	cgroups_read(cgroups, &figures);
	assert_int_equal(figures.read + figures.unreadable, LIMIT);
	assert_int_equal(figures.refused, 3);
	round_one(); /* the others have ended */
	cgroups_read(cgroups, &figures);
	assert_int_equal(figures.read + figures.unreadable, 1);
	assert_int_equal(figures.refused, 3);
}

static void survives_failing_memory(void **state)
{
	(void)state;
	cgroups_free(&cgroups);
	put_pressure(1, "cpu.pressure", 1, 0);
	FOR_EACH_FAILING_ALLOC(nth)
	{
		cgroups = cgroups_new(store, LIMIT, open_folder, top);
		if (cgroups) {
			round_one();
			round_one();
		}
		cgroups_free(&cgroups);
	}
}

static void where_they_are_mounted(void **state)
{
	char path[96], line[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/1/cpu.stat", top);
	assert_int_equal(cgroup_mount_open(path), -ENOENT);
	put(1, "cpu.stat",
	    "proc /proc proc rw 0 0\nnonsense\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n");
	assert_int_equal(cgroup_mount_open(path), -ENOENT);
	snprintf(line, sizeof(line), "tmpfs / tmpfs rw 0 0\nany %s cgroup2 rw 0 0\n", top);
	put(1, "cpu.stat", line);
	fd = cgroup_mount_open(path);
	assert_true(fd >= 0);
	close(fd);
	put(1, "cpu.stat", "any /nowhere cgroup2 rw 0 0\n");
	assert_int_equal(cgroup_mount_open(path), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(grown_since_met, begin, end),
		cmocka_unit_test_setup_teardown(no_quota_is_not_told, begin, end),
		cmocka_unit_test_setup_teardown(shared_and_several, begin, end),
		cmocka_unit_test_setup_teardown(damaged_files, begin, end),
		cmocka_unit_test_setup_teardown(cut_files, begin, end),
		cmocka_unit_test_setup_teardown(a_long_file, begin, end),
		cmocka_unit_test_setup_teardown(groups_that_cannot_be_read, begin, end),
		cmocka_unit_test_setup_teardown(full_tables, begin, end),
		cmocka_unit_test_setup_teardown(survives_failing_memory, begin, end),
		cmocka_unit_test_setup_teardown(where_they_are_mounted, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
