/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/saturation.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/cgroup_mount.h"
#include "agent/cgroups.h"
#include "agent/run_queue.h"
#include "agent/service_sums.h"
#include "base/clock.h"
#include "walk_abi.h"

#define SERVICES_MAX 4096 /* in which something waits */
#define CGROUPS_MAX 1024
/* When nobody asks: what is of a process or a group that ends is lost since it was read last. */
#define IDLE_INTERVAL_NS (10ull * NS_PER_SECOND)
#define COST_SHARE 100

struct saturation {
	const struct loader *loader;	 /* borrowed */
	struct series_store *store;	 /* borrowed */
	struct process_table *processes; /* borrowed */
	struct service_sums *sums;	 /* owned, like the next two */
	struct run_queue *queue;
	struct cgroups *cgroups;
	size_t process_limit;
	uint64_t read_ns; /* 0: never */
	uint64_t took_ns; /* to read */
	int mount;	  /* of control groups, owned; negative errno: none */
};

static int open_folder(void *context, uint64_t id)
{
	const struct saturation *saturation = context;

	return saturation->mount < 0 ? saturation->mount :
				       cgroup_folder_open(saturation->mount, id);
}

struct saturation *saturation_new(const struct loader *loader, struct series_store *store,
				  struct process_table *processes)
{
	struct saturation *saturation = calloc(1, sizeof(*saturation));

	if (!saturation)
		return NULL;
	*saturation = (struct saturation){
		.loader = loader,
		.store = store,
		.processes = processes,
		.process_limit = loader_map_limit(loader, "process_by_tgid"),
		.mount = cgroup_mount_open(CGROUP_MOUNTS),
	};
	saturation->sums = service_sums_new(store, SERVICES_MAX);
	saturation->queue = run_queue_new(saturation->process_limit);
	saturation->cgroups = cgroups_new(store, CGROUPS_MAX, open_folder, saturation);
	if (!saturation->sums || !saturation->queue || !saturation->cgroups)
		saturation_free(&saturation);
	return saturation;
}

void saturation_free(struct saturation **saturation_slot)
{
	struct saturation *saturation = *saturation_slot;

	if (!saturation)
		return;
	service_sums_free(&saturation->sums);
	run_queue_free(&saturation->queue);
	cgroups_free(&saturation->cgroups);
	if (saturation->mount >= 0)
		close(saturation->mount);
	free(saturation);
	*saturation_slot = NULL;
}

/* NULL: no event has told of it yet. */
static const struct process *find_process(struct saturation *saturation, uint32_t tgid)
{
	return process_is_known(saturation->processes, tgid) ?
		       process_lookup(saturation->processes, tgid) :
		       NULL;
}

static void visit_thread(void *context, const void *record)
{
	run_queue_thread(context, record);
}

static bool visit_process(void *context, const struct process_wait *wait)
{
	struct saturation *saturation = context;
	const struct process *process = find_process(saturation, wait->tgid);
	label_values labels = { process ? process->service : "" };

	if (!process)
		return false;
	if (process->is_ignored)
		return true;
	service_sums_add(saturation->sums, process->service, SUM_WAITING_THREADS, wait->waiting);
	if (wait->cgroup_id)
		cgroups_member(saturation->cgroups, wait->cgroup_id, process->service);
	if (wait->delay_ns)
		(void)series_add(saturation->store, METRIC_RUN_QUEUE, labels, 0, wait->delay_ns);
	return true;
}

static void read_threads(struct saturation *saturation)
{
	run_queue_begin(saturation->queue);
	if (loader_walk(saturation->loader, "threads", sizeof(struct walked_thread), visit_thread,
			saturation->queue))
		return; /* none on this kernel, or broken off: the next one tells it all */
	service_sums_begin(saturation->sums, SUM_WAITING_THREADS, SUM_RECEIVED_BYTES);
	cgroups_begin(saturation->cgroups);
	run_queue_end(saturation->queue, visit_process, saturation);
	cgroups_end(saturation->cgroups);
}

static void visit_queues(void *context, const void *record)
{
	struct saturation *saturation = context;
	const struct walked_queues *queues = record;
	const struct process *process = find_process(saturation, queues->tgid);

	if (!process || process->is_ignored)
		return;
	service_sums_add(saturation->sums, process->service, SUM_RECEIVED_BYTES,
			 queues->received_bytes);
	service_sums_add(saturation->sums, process->service, SUM_SENT_BYTES, queues->sent_bytes);
	service_sums_add(saturation->sums, process->service, SUM_RECEIVED_FULL,
			 queues->flags & WALKED_RECEIVED_FULL ? 1 : 0);
	service_sums_add(saturation->sums, process->service, SUM_SENT_FULL,
			 queues->flags & WALKED_SENT_FULL ? 1 : 0);
}

static void read_queues(struct saturation *saturation)
{
	service_sums_begin(saturation->sums, SUM_RECEIVED_BYTES, SERVICE_SUM_COUNT);
	(void)loader_walk(saturation->loader, "tcp_queues", sizeof(struct walked_queues),
			  visit_queues, saturation); /* the same */
}

static bool is_due(const struct saturation *saturation, uint64_t now_ns, bool is_asked)
{
	uint64_t passed_ns = now_ns - saturation->read_ns;

	return !saturation->read_ns || passed_ns >= IDLE_INTERVAL_NS ||
	       (is_asked && passed_ns >= COST_SHARE * saturation->took_ns);
}

static void write_groups(struct saturation *saturation)
{
	struct cgroups_figures figures;
	label_values read = { "read" }, unreadable = { "unreadable" };

	cgroups_read(saturation->cgroups, &figures);
	(void)series_set(saturation->store, METRIC_CGROUPS, read, 0, (double)figures.read);
	(void)series_set(saturation->store, METRIC_CGROUPS, unreadable, 0,
			 (double)figures.unreadable);
}

void saturation_refresh(struct saturation *saturation, uint64_t now_ns, bool is_asked)
{
	if (is_due(saturation, now_ns, is_asked)) {
		read_threads(saturation);
		read_queues(saturation);
		saturation->read_ns = now_ns;
		saturation->took_ns = monotonic_ns() - now_ns;
	}
	service_sums_write(saturation->sums);
	write_groups(saturation);
}

void saturation_tables(const struct saturation *saturation,
		       struct saturation_table ret_tables[SATURATION_TABLES])
{
	struct cgroups_figures figures;

	cgroups_read(saturation->cgroups, &figures);
	ret_tables[0] = (struct saturation_table){ "run_queues", run_queue_count(saturation->queue),
						   saturation->process_limit,
						   run_queue_refused(saturation->queue) };
	ret_tables[1] =
		(struct saturation_table){ "waiting_services", service_sums_count(saturation->sums),
					   SERVICES_MAX, service_sums_refused(saturation->sums) };
	ret_tables[2] = (struct saturation_table){ "cgroups", figures.read + figures.unreadable,
						   figures.limit, figures.refused };
}
