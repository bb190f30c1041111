/* SPDX-License-Identifier: Apache-2.0 */
/* The table of processes: who is alive, who is dead but still named by late events, who inherits what. */
#include "correlate/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "correlate/shown_text.h"

/* /proc gives start times in ticks of USER_HZ, which is 100 on every architecture we build for; two times
 * inside one tick are one process, since a tgid is not given out again that fast. */
#define START_TICK_NS 10000000u

struct entry {
	struct process process;
	struct entry *died_before; /* the list of the dead, in order of exit; borrowed */
	struct entry *died_after;
	bool is_listed_dead;
	bool is_made_up;   /* no event has named its program */
	bool is_asked;	   /* catch_up had its chance */
	bool is_inherited; /* what it is called is its parent's: no exec was seen since its fork */
};

struct process_table {
	struct table table;
	struct entry *first_dead;
	struct entry *last_dead;
	process_catch_up catch_up; /* may be NULL */
	void *context;		   /* borrowed */
	uint64_t evicted;
	uint64_t identities; /* given out */
	uint64_t spoke;	     /* were marked to speak that were not before */
	bool is_catching_up; /* keeps catch_up from being entered twice */
};

static struct entry *entry_of(struct process *process)
{
	return (struct entry *)(void *)((char *)process - offsetof(struct entry, process));
}

static bool match_tgid(const struct table_node *node, const void *key)
{
	const struct process *process = table_entry(node, const struct process, node);

	return process->tgid == *(const uint32_t *)key;
}

struct process_table *process_table_new(size_t limit, process_catch_up catch_up, void *context)
{
	_cleanup_free_ struct process_table *table = calloc(1, sizeof(*table));

	if (!table || table_init(&table->table, limit, match_tgid) < 0)
		return NULL;
	table->catch_up = catch_up;
	table->context = context;
	return TAKE_PTR(table);
}

static void dead_remove(struct process_table *table, struct entry *entry)
{
	if (!entry->is_listed_dead)
		return;
	*(entry->died_before ? &entry->died_before->died_after : &table->first_dead) =
		entry->died_after;
	*(entry->died_after ? &entry->died_after->died_before : &table->last_dead) =
		entry->died_before;
	entry->died_before = NULL;
	entry->died_after = NULL;
	entry->is_listed_dead = false;
}

static void dead_append(struct process_table *table, struct entry *entry)
{
	entry->died_before = table->last_dead;
	*(table->last_dead ? &table->last_dead->died_after : &table->first_dead) = entry;
	table->last_dead = entry;
	entry->is_listed_dead = true;
}

/* Whoever holds a reference keeps the process; the table no longer knows it. */
static void entry_drop(struct process_table *table, struct entry *entry)
{
	struct process *process = &entry->process;

	dead_remove(table, entry);
	table_remove(&table->table, &process->node);
	process_unref(&process);
}

void process_table_free(struct process_table **table)
{
	if (!*table)
		return;
	while ((*table)->table.oldest)
		entry_drop(*table,
			   entry_of(table_entry((*table)->table.oldest, struct process, node)));
	table_done(&(*table)->table);
	free(*table);
	*table = NULL;
}

static void make_room(struct process_table *table)
{
	struct entry *victim = table->first_dead;

	if (!victim && table->table.oldest)
		victim = entry_of(table_entry(table->table.oldest, struct process, node));
	if (!victim)
		return;
	entry_drop(table, victim);
	table->evicted++;
}

static struct entry *entry_find(struct process_table *table, uint32_t tgid)
{
	struct table_node *node = table_find_by(&table->table, hash_u64(tgid), &tgid, match_tgid);

	return node ? entry_of(table_entry(node, struct process, node)) : NULL;
}

static struct entry *entry_add(struct process_table *table, uint32_t tgid)
{
	_cleanup_free_ struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->process.tgid = tgid;
	entry->process.references = 1;
	entry->process.identity = ++table->identities;
	entry->is_made_up = true;
	strcpy(entry->process.executable, "unknown");
	strcpy(entry->process.service, "unknown");
	if (table->table.count >= table->table.limit)
		make_room(table);
	if (table_insert(&table->table, &entry->process.node, hash_u64(tgid)) < 0)
		return NULL;
	return TAKE_PTR(entry);
}

static bool is_same_start(uint64_t a_ns, uint64_t b_ns)
{
	return !a_ns || !b_ns || a_ns / START_TICK_NS == b_ns / START_TICK_NS;
}

/* The entry of exactly this process: a new one when the tgid is new or has been given out again. */
static struct entry *entry_at(struct process_table *table, uint32_t tgid, uint64_t start_ns,
			      uint64_t ktime_ns)
{
	struct entry *entry = entry_find(table, tgid);

	if (entry && (!is_same_start(entry->process.start_ns, start_ns) ||
		      (entry->process.exited_ns && entry->process.exited_ns < ktime_ns))) {
		entry_drop(table, entry);
		entry = NULL;
	}
	if (!entry)
		entry = entry_add(table, tgid);
	/* The kernel's figure is finer than the one from /proc, which is a round number. */
	if (entry && start_ns && (!entry->process.start_ns || start_ns % START_TICK_NS))
		entry->process.start_ns = start_ns;
	return entry;
}

static void set_program(struct process *process, const struct event *event)
{
	const struct event_process_exec *exec = event->process_exec;
	size_t path_bytes = exec->path_bytes;
	const char *base;

	if (path_bytes > event->payload_bytes)
		path_bytes = event->payload_bytes;
	(void)shown_text_copy(process->path, sizeof(process->path), (const char *)event->payload,
			      path_bytes);
	base = strrchr(process->path, '/');
	base = base ? base + 1 : process->path;
	if (*base)
		(void)shown_text_copy(process->executable, sizeof(process->executable), base,
				      strlen(base));
	else
		(void)shown_text_copy(process->executable, sizeof(process->executable), exec->comm,
				      strnlen(exec->comm, sizeof(exec->comm)));
	service_name_choose(event, process->service);
}

static int feed_exec(struct process_table *table, const struct event *event)
{
	const struct event_process_exec *exec = event->process_exec;
	struct entry *entry =
		entry_at(table, event->header->tgid, exec->start_ns, event->header->ktime_ns);

	if (!entry)
		return -ENOMEM;
	entry->is_made_up = false;
	entry->is_inherited = false;
	if (exec->parent_tgid)
		entry->process.parent_tgid = exec->parent_tgid;
	set_program(&entry->process, event);
	if (!(exec->exec_flags & PROCESS_FOUND))
		entry->process.is_instrumented = false;
	entry->process.identity = ++table->identities;
	return 0;
}

/* Never asks catch_up: the caller may be in the middle of a ring that catch_up would drain. A child of an
 * unknown parent is asked for when it is looked up. */
static struct process *find_parent(struct process_table *table, uint32_t tgid)
{
	struct entry *parent = entry_find(table, tgid);

	return parent && !parent->is_made_up ? process_ref(&parent->process) : NULL;
}

static int feed_fork(struct process_table *table, const struct event *event)
{
	const struct event_process_fork *fork = event->process_fork;
	_cleanup_(process_unref) struct process *parent = find_parent(table, event->header->tgid);
	struct entry *child =
		entry_at(table, fork->child_tgid, fork->start_ns, event->header->ktime_ns);

	if (!child)
		return -ENOMEM;
	child->process.parent_tgid = event->header->tgid;
	/* Found in /proc before its fork event was read: what was found is newer. */
	if (!child->is_made_up || !parent)
		return 0;
	child->is_made_up = false;
	child->is_inherited = true;
	child->process.is_ignored = parent->is_ignored;
	memcpy(child->process.executable, parent->executable, sizeof(parent->executable));
	memcpy(child->process.path, parent->path, sizeof(parent->path));
	memcpy(child->process.service, parent->service, sizeof(parent->service));
	child->process.identity = ++table->identities;
	return 0;
}

static void entry_exit(struct process_table *table, struct entry *entry, uint64_t ktime_ns)
{
	if (entry->process.exited_ns)
		return;
	entry->process.exited_ns = ktime_ns;
	dead_append(table, entry);
}

static int feed_exit(struct process_table *table, const struct event *event)
{
	struct entry *entry = entry_find(table, event->header->tgid);

	if (!entry || !is_same_start(entry->process.start_ns, event->process_exit->start_ns))
		return 0;
	entry_exit(table, entry, event->header->ktime_ns);
	return 0;
}

int process_table_feed(struct process_table *table, const struct event *event)
{
	switch (event->header->kind) {
	case EVENT_PROCESS_EXEC:
		return feed_exec(table, event);
	case EVENT_PROCESS_FORK:
		return feed_fork(table, event);
	case EVENT_PROCESS_EXIT:
		return feed_exit(table, event);
	default:
		return 0;
	}
}

static bool wants_catch_up(const struct process_table *table, const struct entry *entry,
			   uint32_t tgid)
{
	if (!tgid || !table->catch_up || table->is_catching_up)
		return false;
	return !entry || (entry->is_made_up && !entry->is_asked);
}

static struct entry *entry_catch_up(struct process_table *table, uint32_t tgid)
{
	table->is_catching_up = true;
	table->catch_up(table->context, tgid);
	table->is_catching_up = false;
	return entry_find(table, tgid);
}

struct process *process_lookup(struct process_table *table, uint32_t tgid)
{
	struct entry *entry = entry_find(table, tgid);
	bool is_asked = wants_catch_up(table, entry, tgid);

	if (is_asked)
		entry = entry_catch_up(table, tgid);
	if (!entry)
		entry = entry_add(table, tgid);
	if (!entry)
		return NULL;
	entry->is_asked |= is_asked;
	return &entry->process;
}

struct process *process_lookup_newest(struct process_table *table, uint32_t tgid)
{
	const struct entry *entry = entry_find(table, tgid);

	if (entry && entry->is_inherited && table->catch_up && !table->is_catching_up)
		(void)entry_catch_up(table, tgid);
	return process_lookup(table, tgid);
}

bool process_is_known(struct process_table *table, uint32_t tgid)
{
	const struct entry *entry = entry_find(table, tgid);

	return entry && !entry->is_made_up;
}

bool process_is_alive(struct process_table *table, uint32_t tgid)
{
	const struct entry *entry = entry_find(table, tgid);

	return entry && !entry->process.exited_ns;
}

void process_mark_exited(struct process_table *table, uint32_t tgid, uint64_t ktime_ns)
{
	struct entry *entry = entry_find(table, tgid);

	if (entry)
		entry_exit(table, entry, ktime_ns);
}

void process_mark_speaking(struct process_table *table, uint32_t tgid)
{
	struct process *process = process_lookup(table, tgid);

	if (!process || process->is_speaking)
		return;
	process->is_speaking = true;
	table->spoke++;
}

uint64_t process_table_spoke(const struct process_table *table)
{
	return table->spoke;
}

void process_mark_instrumented(struct process_table *table, uint32_t tgid)
{
	struct process *process = process_lookup(table, tgid);

	if (process)
		process->is_instrumented = true;
}

struct process *process_ref(struct process *process)
{
	process->references++;
	return process;
}

void process_unref(struct process **process)
{
	if (*process && --(*process)->references == 0)
		free(entry_of(*process));
	*process = NULL;
}

void process_table_expire(struct process_table *table, uint64_t now_ns, uint64_t keep_ns)
{
	while (table->first_dead) {
		uint64_t exited_ns = table->first_dead->process.exited_ns;

		if (exited_ns >= now_ns || now_ns - exited_ns <= keep_ns)
			return;
		entry_drop(table, table->first_dead);
	}
}

void process_table_each(struct process_table *table, int (*visit)(void *context, struct process *),
			void *context)
{
	struct table_node *node = table->table.newest;

	while (node) {
		struct process *process = table_entry(node, struct process, node);

		node = node->older;
		if (visit(context, process))
			return;
	}
}

size_t process_table_count(const struct process_table *table)
{
	return table->table.count;
}

uint64_t process_table_evicted(const struct process_table *table)
{
	return table->evicted;
}

size_t process_describe(const struct process *process, uint64_t ktime_ns, void *buffer)
{
	struct event_process_exec *event = buffer;
	size_t path_bytes = strlen(process->path), service_bytes = strlen(process->service);
	char *payload = (char *)(event + 1);

	*event = (struct event_process_exec){
		.header = { .ktime_ns = ktime_ns,
			    .tgid = process->tgid,
			    .kind = EVENT_PROCESS_EXEC,
			    .size = (uint16_t)(sizeof(*event) + path_bytes + service_bytes) },
		.start_ns = process->start_ns,
		.parent_tgid = process->parent_tgid,
		.exec_flags = PROCESS_FOUND,
		.path_bytes = (uint16_t)path_bytes,
		.service_name_bytes = (uint16_t)service_bytes,
	};
	memcpy(event->comm, process->executable,
	       strnlen(process->executable, sizeof(event->comm) - 1));
	memcpy(payload, process->path, path_bytes);
	memcpy(payload + path_bytes, process->service, service_bytes);
	return event->header.size;
}
