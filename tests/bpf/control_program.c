/* SPDX-License-Identifier: Apache-2.0 */
/* What user space asks of the kernel side while traffic flows: no more events of a connection, nothing of a process. */
#include <signal.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Expect a control call to return this. */
static void expect_control(struct observer *observer, enum control_op op, uint64_t key, uint64_t id,
			   uint64_t value, int expected)
{
	int result = loader_control(observer->loader, op, key, id, value);

	if (result != expected)
		snprintf(observer->stage->failure, sizeof(observer->stage->failure),
			 "control %d returned %d instead of %d", op, result, expected);
}

static void act_two_exchanges(struct stage *stage)
{
	struct ends ends = stage_ends(stage);

	stage_exchange(stage, &ends);
	stage_pause(stage);
	stage_exchange(stage, &ends);
	ends_close(&ends);
}

static void set_modes(struct observer *observer, enum conn_mode mode)
{
	struct seen_conn conns[CONNS_MAX];
	size_t count;

	stage_await(observer->stage, 1);
	observer_drain(observer);
	count = list_conns(observer, conns);
	for (size_t i = 0; i < count; i++)
		expect_control(observer, CONTROL_CONN_MODE, conns[i].first->sock,
			       conns[i].first->conn_id, mode, 0);
	stage_mark(observer->stage, 0);
}

static void stop_messages(struct observer *observer)
{
	set_modes(observer, MODE_LENGTHS);
}

/* A conn_id that is not the entry's: the address of the socket is in use again. */
static void miss_connections(struct observer *observer)
{
	struct seen_conn conns[CONNS_MAX];
	size_t count;

	stage_await(observer->stage, 1);
	observer_drain(observer);
	count = list_conns(observer, conns);
	for (size_t i = 0; i < count; i++) {
		expect_control(observer, CONTROL_CONN_MODE, conns[i].first->sock,
			       conns[i].first->conn_id + 1, MODE_LENGTHS, -ENOENT);
		expect_control(observer, CONTROL_CONN_MODE, conns[i].first->sock + 8,
			       conns[i].first->conn_id, MODE_LENGTHS, -ENOENT);
	}
	expect_control(observer, CONTROL_LISTENER_READ, 8, 0, 0, -ENOENT);
	expect_control(observer, (enum control_op)99, 0, 0, 0, -ENOENT);
	stage_mark(observer->stage, 0);
}

static void act_exchange_and_fail(struct stage *stage)
{
	struct ends ends;

	stage_pause(stage);
	ends = stage_ends(stage);
	stage_exchange(stage, &ends);
	ends_close(&ends);
	MUST_FAIL(close(9999), EBADF);
}

static void set_flags(struct observer *observer, uint32_t flags)
{
	expect_control(observer, CONTROL_PROCESS_FLAGS, observer->stage->cast[0].tgid, 0, flags, 0);
}

static void ignore(struct observer *observer)
{
	stage_await(observer->stage, 1);
	set_flags(observer, PROCESS_IGNORED);
	stage_mark(observer->stage, 0);
}

static void ignore_and_relent(struct observer *observer)
{
	stage_await(observer->stage, 1);
	set_flags(observer, PROCESS_IGNORED);
	set_flags(observer, 0);
	stage_mark(observer->stage, 0);
}

static void fail_once(struct stage *stage, void *context)
{
	(void)context;
	MUST_FAIL(close(9999), EBADF);
}

/* Children of an ignored process are ignored too … */
static void act_ignored_child(struct stage *stage)
{
	stage_pause(stage);
	stage_join(stage, stage_fork(stage, "child", fail_once, NULL));
}

static void exec_failing(struct stage *stage, void *context)
{
	char *const args[] = { "sh", "-c", "kill -0 2147483647 2>/dev/null", NULL };

	(void)context;
	signal(SIGALRM, SIG_DFL);
	MUST(execve("/bin/sh", args, args + 3));
}

/* … until they become another program. */
static void act_ignored_until_exec(struct stage *stage)
{
	int status;
	pid_t child;

	stage_pause(stage);
	child = stage_fork(stage, "child", exec_failing, NULL);
	MUST(waitpid(child, &status, 0));
}

/* The dynamic linker fails at calls of its own: one is enough. */
static void check_exec(FILE *out, const struct observer *observer)
{
	struct error_counts counts = { .tgid = observer->stage->cast[1].tgid };

	(void)kernel_table_each(loader_map(observer->loader, "syscall_errors"),
				sizeof(struct syscall_error_key), sizeof(uint64_t), add_error_count,
				&counts);
	for (size_t i = 0; i < counts.count; i++)
		if (counts.rows[i].key.error == ESRCH)
			return;
	fputs("the child's kill was not counted\n", out);
}

static void act_nothing(struct stage *stage)
{
	stage_pause(stage);
}

/* The process that loaded the programs is never observed. */
static void fail_ourselves(struct observer *observer)
{
	struct stage *stage = observer->stage;
	struct ends ends;

	stage_await(stage, 1);
	stage_enter(stage, "observer");
	ends = stage_ends(stage);
	stage_exchange(stage, &ends);
	ends_close(&ends);
	if (!close(9999))
		snprintf(stage->failure, sizeof(stage->failure), "close worked");
	stage_mark(stage, 0);
}

static const struct scene scenes[] = {
	{ .name = "lengths_only",
	  .act = act_two_exchanges,
	  .meanwhile = stop_messages,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client close sent 10 received 4 turn 4 read 2/1 tail unseen\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\"\n"
		      "server close sent 4 received 10 turn 4 write 2/1 tail unseen\n"
		      "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 "
		      "server-exchanges 2 server-closes 1 sent 14 received 14\n" },
	{ .name = "not_there",
	  .act = act_two_exchanges,
	  .meanwhile = miss_connections,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client turn 3 write 5/1 tail \"hello\" call 5 at 0 \"hello\" after read 2/1 "
		      "tail \"ok\"\n"
		      "client turn 4 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client close sent 10 received 4 turn 4 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\"\n"
		      "server turn 3 read 5/1 tail \"hello\" call 5 at 0 \"hello\" after write 2/1 "
		      "tail \"ok\"\n"
		      "server turn 4 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\"\n"
		      "server close sent 4 received 10 turn 4 write 2/1 tail \"ok\"\n"
		      "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 "
		      "server-exchanges 2 server-closes 1 sent 14 received 14\n" },
	{ .name = "ignored",
	  .act = act_exchange_and_fail,
	  .meanwhile = ignore,
	  .expected =
		  "it counts established 1 client-closes 1 server-closes 1 sent 7 received 7\n" },
	{ .name = "ignored_no_more",
	  .act = act_exchange_and_fail,
	  .meanwhile = ignore_and_relent,
	  .expected = "client connect established\n"
		      "client turn 1 write 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "client turn 2 read 2/1 tail \"ok\" call 2 at 0 \"ok\" after write 5/1 tail "
		      "\"hello\"\n"
		      "client close sent 5 received 2 turn 2 read 2/1 tail \"ok\"\n"
		      "server accept\n"
		      "server turn 1 read 5/1 tail \"hello\" call 5 at 0 \"hello\"\n"
		      "server turn 2 write 2/1 tail \"ok\" call 2 at 0 \"ok\" after read 5/1 tail "
		      "\"hello\"\n"
		      "server close sent 2 received 5 turn 2 write 2/1 tail \"ok\"\n"
		      "error close EBADF\n"
		      "it counts established 1 accepts 1 client-exchanges 1 client-closes 1 "
		      "server-exchanges 1 server-closes 1 sent 7 received 7 close.EBADF 1\n" },
	{ .name = "ignored_child",
	  .act = act_ignored_child,
	  .meanwhile = ignore,
	  .expected = "it counts\n"
		      "child counts\n" },
	{ .name = "ignored_until_exec",
	  .act = act_ignored_until_exec,
	  .meanwhile = ignore,
	  .check = check_exec },
	{ .name = "agent_itself",
	  .act = act_nothing,
	  .meanwhile = fail_ourselves,
	  .expected =
		  "it counts\n"
		  "observer counts established 1 client-closes 1 server-closes 1 sent 7 received "
		  "7\n" },
};

static const struct group groups[] = {
	{ .name = "control",
	  .options.settings = { .error_events_per_second = 1000 },
	  .scenes = scenes,
	  .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
