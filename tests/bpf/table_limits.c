/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and rings that are too small: what does not fit is counted, what can be kept exact is, and there is room again
 * afterwards. Counters are the machine's: a scene is tried again when others have added to them. */
#include <sys/syscall.h>

#include "failing_calls.h"
#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define TRIES 8

/* --- connections --- */

#define CONNECTIONS_MAX 16
#define CONNECTIONS 40

static void act_many_connections(struct stage *stage)
{
	int listener = stage_listen(stage, CONNECTIONS), fds[CONNECTIONS];
	struct ends ends;

	for (int i = 0; i < CONNECTIONS; i++)
		fds[i] = stage_connect(stage);
	stage_pause(stage);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	for (int i = 0; i < CONNECTIONS; i++)
		close((int)MUST(accept(listener, NULL, NULL)));
	stage_mark(stage, 2);
	stage_await(stage, 3);
	ends = stage_ends_of(stage, listener);
	stage_write(stage, ends.client, "room again");
	stage_read(stage, ends.server, 10, 64);
	ends_close(&ends);
	close(listener);
}

struct conn_tally {
	uint16_t port;
	unsigned all;
	unsigned clients; /* of the scene, like servers */
	unsigned servers;
};

static void tally_conn(void *context, const void *key, const void *value)
{
	const struct conn_state *conn = value;
	struct conn_tally *tally = context;

	(void)key;
	tally->all++;
	if (conn->tuple.remote_port == tally->port)
		tally->clients++;
	else if (conn->tuple.local_port == tally->port)
		tally->servers++;
}

static struct conn_tally tally_conns(const struct observer *observer)
{
	struct conn_tally tally = { .port = observer->stage->port };

	(void)kernel_table_each(loader_map(observer->loader, "conn_by_sock"), sizeof(uint64_t),
				sizeof(struct conn_state), tally_conn, &tally);
	return tally;
}

static void await_room(const struct observer *observer)
{
	const struct timespec a_moment = { 0, 10000000 };

	for (int tries = 0; tries < 500 && tally_conns(observer).all > CONNECTIONS_MAX / 2; tries++)
		nanosleep(&a_moment, NULL);
}

static void look_at_connections(struct observer *observer)
{
	struct stage *stage = observer->stage;
	struct conn_tally tally;
	uint64_t refused;

	stage_await(stage, 1);
	tally = tally_conns(observer);
	refused = counter_since(observer, COUNTER_CONN_TABLE_FULL);
	/* A try for each end: at SYN_SENT, and at ESTABLISHED out of the listener. */
	if (tally.all != CONNECTIONS_MAX ||
	    tally.clients + tally.servers + refused != 2 * CONNECTIONS)
		snprintf(stage->failure, sizeof(stage->failure),
			 "%u entries, %u clients and %u servers of ours, %llu refused", tally.all,
			 tally.clients, tally.servers, (unsigned long long)refused);
	stage->file_fd = tally.clients;
	stage_mark(stage, 0);
	stage_await(stage, 2);
	await_room(observer);
	stage_mark(stage, 3);
}

/* The connection after the crowd is told in full; of the crowd, what was in the table. */
static void check_connections(FILE *out, const struct observer *observer)
{
	const struct stage *stage = observer->stage;
	struct process_state state = { 0 };
	unsigned connects = 0, turns = 0;

	(void)kernel_table_find(loader_map(observer->loader, "process_by_tgid"),
				&stage->cast[0].tgid, &state); /* none: nothing was counted */
	for (size_t i = 0; i < observer->count; i++) {
		connects += observer->events[i].header->kind == EVENT_TCP_CONNECT;
		turns += observer->events[i].header->kind == EVENT_TURN;
	}
	if (connects != stage->file_fd + 1 || state.connects[CONNECT_ESTABLISHED] != connects)
		fprintf(out, "%u were tracked, %u connects told, %llu counted\n", stage->file_fd,
			connects, state.connects[CONNECT_ESTABLISHED]);
	if (state.accepts < 1 || turns != 2)
		fprintf(out, "%llu accepts, %u turns\n", state.accepts, turns);
}

/* --- sockets on one port --- */

#define SHARERS (LISTEN_SLOTS + 2)

/* Those beyond the port's slots are counted; once others have gone, who comes has room again. */
static void act_shared_port(struct stage *stage)
{
	int listeners[SHARERS], last, fd;

	for (int i = 0; i < SHARERS; i++)
		listeners[i] = stage_listen(stage, 1);
	for (int i = 0; i < SHARERS; i++)
		close(listeners[i]);
	last = stage_listen(stage, 1);
	fd = stage_connect(stage);
	close(last);
	close(fd);
}

static void check_shared_port(FILE *out, const struct observer *observer)
{
	uint64_t full = counter_since(observer, COUNTER_LISTEN_PORT_FULL);
	struct process_state state = { 0 };

	(void)kernel_table_find(loader_map(observer->loader, "process_by_tgid"),
				&observer->stage->cast[0].tgid, &state); /* none: see below */
	if (full != SHARERS - LISTEN_SLOTS || state.closes[ROLE_SERVER] != 1)
		fprintf(out, "%llu beyond the slots, %llu closed by their listener's owner\n",
			(unsigned long long)full, state.closes[ROLE_SERVER]);
}

/* --- processes --- */

#define PROCESSES_MAX 16
#define PROCESSES 40
#define REFUSALS 3

static void be_refused(struct stage *stage, void *context)
{
	(void)context;
	for (int i = 0; i < REFUSALS; i++) {
		int fd = stage_socket(stage);

		MUST_FAIL(stage_try_connect(stage, fd), ECONNREFUSED);
		close(fd);
	}
}

static void act_many_processes(struct stage *stage)
{
	int bound = stage_bind(stage);

	for (int i = 0; i < PROCESSES; i++)
		stage_join(stage, stage_fork(stage, "refused", be_refused, NULL));
	close(bound);
}

struct process_tally {
	const struct stage *stage;
	uint64_t known;	  /* refused connects of the scene's processes that have an entry */
	uint64_t nobodys; /* under tgid 0 */
	unsigned entries;
	unsigned wrong;
};

static void tally_process(void *context, const void *key, const void *value)
{
	const struct process_state *state = value;
	struct process_tally *tally = context;
	uint32_t tgid = *(const uint32_t *)key;

	tally->entries++;
	if (!tgid)
		tally->nobodys = state->connects[CONNECT_REFUSED];
	else if (stage_actor(tally->stage, tgid)) {
		tally->known += state->connects[CONNECT_REFUSED];
		tally->wrong += state->connects[CONNECT_REFUSED] != REFUSALS;
	}
}

static void check_processes(FILE *out, const struct observer *observer)
{
	struct process_tally tally = { .stage = observer->stage };
	uint64_t full = counter_since(observer, COUNTER_PROCESS_TABLE_FULL);

	(void)kernel_table_each(loader_map(observer->loader, "process_by_tgid"), sizeof(uint32_t),
				sizeof(struct process_state), tally_process, &tally);
	if (tally.entries != PROCESSES_MAX || tally.wrong || !full ||
	    tally.known + tally.nobodys != PROCESSES * REFUSALS)
		fprintf(out, "%u entries, %u wrong; known %llu, unattributed %llu, full %llu\n",
			tally.entries, tally.wrong, (unsigned long long)tally.known,
			(unsigned long long)tally.nobodys, (unsigned long long)full);
}

/* --- errors --- */

#define CALLS 5
#define ERRORS_KNOWN 4095

static const int calls[CALLS] = { __NR_getppid, __NR_getpgrp, __NR_getuid, __NR_geteuid,
				  __NR_getgid };

static bool is_expected(int error)
{
	return error == EAGAIN || error == EINPROGRESS || error == EINTR ||
	       (error >= 512 && error <= 516);
}

static void act_every_error(struct stage *stage)
{
	stage_choose_errors(stage, calls, CALLS);
	for (int i = 0; i < CALLS; i++)
		for (int error = 1; error <= ERRORS_KNOWN; error++)
			if (!is_expected(error))
				MUST_FAIL(syscall(calls[i], error), error);
}

struct error_tally {
	uint32_t tgid;
	uint64_t ours;
	size_t entries;
};

static void tally_error(void *context, const void *key, const void *value)
{
	struct error_tally *tally = context;

	tally->entries++;
	if (((const struct syscall_error_key *)key)->tgid == tally->tgid)
		tally->ours += *(const uint64_t *)value;
}

static void check_every_error(FILE *out, const struct observer *observer)
{
	struct error_tally tally = { .tgid = observer->stage->cast[0].tgid };
	uint64_t full = counter_since(observer, COUNTER_ERROR_TABLE_FULL);
	size_t limit = loader_map_limit(observer->loader, "syscall_errors");
	uint64_t failures = CALLS * (ERRORS_KNOWN - 8);

	(void)kernel_table_each(loader_map(observer->loader, "syscall_errors"),
				sizeof(struct syscall_error_key), sizeof(uint64_t), tally_error,
				&tally);
	if (tally.entries != limit || tally.ours + full != failures)
		fprintf(out, "%zu of %zu entries, %llu counted, %llu beyond them, %llu in all\n",
			tally.entries, limit, (unsigned long long)tally.ours,
			(unsigned long long)full, (unsigned long long)failures);
}

/* --- rings --- */

#define EXCHANGES 500

static void act_unread_exchanges(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	for (int i = 0; i < EXCHANGES; i++) {
		stage_exchange(stage, &ends);
	}
	ends_close(&ends);
}

static void balance(FILE *out, const struct observer *observer, enum event_kind kind,
		    uint64_t attempted)
{
	struct event_count since = events_since(observer, kind);
	uint64_t read = 0;

	for (size_t i = 0; i < observer->count; i++)
		read += observer->events[i].header->kind == kind;
	if (since.delivered != read || since.delivered + since.lost[LOSS_RING_FULL] != attempted ||
	    since.lost[LOSS_NO_RING])
		fprintf(out, "%s: attempted %llu, delivered %llu, read %llu, lost %llu\n",
			event_kind_name(kind), (unsigned long long)attempted, since.delivered,
			(unsigned long long)read, since.lost[LOSS_RING_FULL]);
}

/* Nobody reads meanwhile. Nearly everything is lost, none of it in silence, and no exchange is forgotten. */
static void check_unread(FILE *out, const struct observer *observer)
{
	struct process_state state = { 0 };

	balance(out, observer, EVENT_TURN, 4 * EXCHANGES);
	balance(out, observer, EVENT_TCP_CONNECT, 1);
	balance(out, observer, EVENT_TCP_ACCEPT, 1);
	balance(out, observer, EVENT_TCP_CLOSE, 2);
	if (!events_since(observer, EVENT_TURN).lost[LOSS_RING_FULL])
		fputs("nothing was lost\n", out);
	(void)kernel_table_find(loader_map(observer->loader, "process_by_tgid"),
				&observer->stage->cast[0].tgid, &state); /* none: see below */
	if (state.exchanges[ROLE_CLIENT] != EXCHANGES || state.exchanges[ROLE_SERVER] != EXCHANGES)
		fprintf(out, "exchanges: client %llu, server %llu\n", state.exchanges[ROLE_CLIENT],
			state.exchanges[ROLE_SERVER]);
	if (state.bytes_sent != 7 * EXCHANGES || state.bytes_received != 7 * EXCHANGES)
		fprintf(out, "bytes: sent %llu, received %llu\n", state.bytes_sent,
			state.bytes_received);
}

static const struct scene connection_scenes[] = {
	{ .name = "connections",
	  .act = act_many_connections,
	  .meanwhile = look_at_connections,
	  .check = check_connections,
	  .tries = TRIES },
};
static const struct scene process_scenes[] = {
	{ .name = "processes", .act = act_many_processes, .check = check_processes, .tries = TRIES },
};
static const struct scene error_scenes[] = {
	{ .name = "errors", .act = act_every_error, .check = check_every_error, .tries = TRIES },
};
static const struct scene port_scenes[] = {
	{ .name = "sockets_on_a_port",
	  .act = act_shared_port,
	  .check = check_shared_port,
	  .tries = TRIES },
};
static const struct scene ring_scenes[] = {
	{ .name = "ring_of_a_page",
	  .act = act_unread_exchanges,
	  .check = check_unread,
	  .tries = TRIES },
};

static const struct group groups[] = {
	{ .name = "small_tables",
	  .options.connections = CONNECTIONS_MAX,
	  .scenes = connection_scenes,
	  .count = LENGTH(connection_scenes),
	  .preferred_only = true },
	{ .name = "small_tables",
	  .options.processes = PROCESSES_MAX,
	  .scenes = process_scenes,
	  .count = LENGTH(process_scenes),
	  .preferred_only = true },
	{ .name = "full_tables",
	  .scenes = error_scenes,
	  .count = LENGTH(error_scenes),
	  .preferred_only = true },
	{ .name = "full_tables",
	  .scenes = port_scenes,
	  .count = LENGTH(port_scenes),
	  .preferred_only = true },
	{ .name = "small_rings",
	  .options.ring_bytes = 4096,
	  .scenes = ring_scenes,
	  .count = LENGTH(ring_scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
