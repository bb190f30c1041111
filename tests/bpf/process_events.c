/* SPDX-License-Identifier: Apache-2.0 */
/* Processes begin, become another program, and end: what is told of them, and how much of their strings. */
#include <pthread.h>
#include <signal.h>

#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define PROGRAM "/bin/true"
#define STRING_SHOWN 40

static void word_text(FILE *out, const char *name, const uint8_t *bytes, size_t length)
{
	size_t same = 0;

	while (same < length && bytes[same] == bytes[0])
		same++;
	fprintf(out, " %s ", name);
	if (length > STRING_SHOWN && same == length)
		fprintf(out, "%zu times %c", length, bytes[0]);
	else
		word_bytes(out, bytes, length);
}

static void word_exec(FILE *out, const struct observer *observer, const struct event *event)
{
	static const char *const flags[] = { "found", "environment-in-part", NULL };
	const struct event_process_exec *exec = event->process_exec;
	const uint8_t *at = event->payload;
	const struct actor *parent = stage_actor(observer->stage, exec->parent_tgid);

	fputs("exec", out);
	word_text(out, "path", at, exec->path_bytes);
	at += exec->path_bytes;
	word_text(out, "args", at, exec->args_bytes);
	at += exec->args_bytes;
	if (exec->service_name_bytes)
		word_text(out, "service", at, exec->service_name_bytes);
	at += exec->service_name_bytes;
	if (exec->resource_attributes_bytes)
		word_text(out, "attributes", at, exec->resource_attributes_bytes);
	word_flags(out, exec->exec_flags, flags);
	if (strncmp(exec->comm, "true", sizeof(exec->comm)) != 0)
		fprintf(out, " comm %.16s", exec->comm);
	fprintf(out, " child of %s",
		!parent		? "a stranger" :
		parent->name[0] ? parent->name :
				  "it");
}

/* CLOCK_BOOTTIME when a process began, from each of its events. */
static uint64_t start_of(const struct event *event, uint32_t *ret_tgid)
{
	*ret_tgid = event->header->tgid;
	switch (event->header->kind) {
	case EVENT_PROCESS_FORK:
		*ret_tgid = event->process_fork->child_tgid;
		return event->process_fork->start_ns;
	case EVENT_PROCESS_EXEC:
		return event->process_exec->start_ns;
	default:
		return event->process_exit->start_ns;
	}
}

static void check_starts(FILE *out, const struct observer *observer)
{
	for (size_t i = 0; i < observer->count; i++)
		for (size_t j = 0; j < i; j++) {
			uint32_t one, other;
			uint64_t start = start_of(&observer->events[i], &one);
			uint64_t before = start_of(&observer->events[j], &other);

			if (one == other && start != before)
				fprintf(out, "[starts %llu and %llu]\n", (unsigned long long)before,
					(unsigned long long)start);
		}
}

static void word_process_event(FILE *out, const struct observer *observer,
			       const struct event *event)
{
	const struct actor *child;

	switch (event->header->kind) {
	case EVENT_PROCESS_FORK:
		child = stage_actor(observer->stage, event->process_fork->child_tgid);
		fprintf(out, "fork of %s", child ? child->name : "a stranger");
		break;
	case EVENT_PROCESS_EXEC:
		word_exec(out, observer, event);
		break;
	case EVENT_PROCESS_EXIT:
		fputs("exit", out);
		break;
	default:
		fprintf(out, "%s", event_kind_name(event->header->kind));
	}
	word_actor(out, &(struct scope){ .stage = observer->stage }, event->header->tgid,
		   event->header->tgid);
	fputc('\n', out);
}

static void check_processes(FILE *out, const struct observer *observer)
{
	for (size_t i = 0; i < observer->count; i++)
		word_process_event(out, observer, &observer->events[i]);
	check_starts(out, observer);
}

struct program {
	char *const *args;
	char *const *env;
};

static void run_program(struct stage *stage, void *context)
{
	const struct program *program = context;

	MUST(execve(PROGRAM, program->args, program->env));
}

static void play(struct stage *stage, char *const *args, char *const *env)
{
	struct program program = { args, env };

	stage_join(stage, stage_fork(stage, "child", run_program, &program));
}

static void act_plain(struct stage *stage)
{
	play(stage, (char *[]){ "true", "--one", "two words", "", NULL },
	     (char *[]){ "A=1", NULL });
}

static void act_named(struct stage *stage)
{
	play(stage, (char *[]){ "true", NULL },
	     (char *[]){ "OTEL_SERVICE=no", "XOTEL_SERVICE_NAME=no", "OTEL_SERVICE_NAME=shop",
			 "OTEL_RESOURCE_ATTRIBUTES=service.name=x,team=y",
			 "OTEL_RESOURCE_ATTRIBUTE=no", NULL });
}

static void act_bare(struct stage *stage)
{
	play(stage, (char *[]){ "true", NULL }, (char *[]){ NULL });
}

static char *repeat(const char *prefix, char byte, size_t times)
{
	size_t length = strlen(prefix);
	char *text = calloc(1, length + times + 1);

	if (!text)
		abort();
	memcpy(text, prefix, length);
	memset(text + length, byte, times);
	return text;
}

/* Strings are cut where headers/event_abi.h says, arguments after PROCESS_ARGS_MAX bytes of all together. */
static void act_long(struct stage *stage)
{
	play(stage, (char *[]){ repeat("", 'a', 1000), repeat("", 'b', 2000), NULL },
	     (char *[]){ repeat("OTEL_SERVICE_NAME=", 's', 400), repeat("LONG=", 'x', 5000),
			 repeat("OTEL_RESOURCE_ATTRIBUTES=", 'r', 255), NULL });
}

/* More variables than are looked through: the rest is for user space to read. */
static void act_much_environment(struct stage *stage)
{
	static char *env[260];
	static char texts[LENGTH(env)][16];

	for (size_t i = 0; i < LENGTH(env) - 1; i++) {
		snprintf(texts[i], sizeof(texts[i]), "V%zu=1", i);
		env[i] = texts[i];
	}
	env[100] = "OTEL_SERVICE_NAME=early";
	env[250] = "OTEL_RESOURCE_ATTRIBUTES=late=1";
	play(stage, (char *[]){ "true", NULL }, env);
}

static void act_failed_exec(struct stage *stage)
{
	char *const none[] = { "none", NULL };

	MUST_FAIL(execve("/nonexistent/program", none, none), ENOENT);
}

static void *do_nothing(void *context)
{
	return context;
}

static void act_threads(struct stage *stage)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		if (pthread_create(&thread, NULL, do_nothing, NULL))
			MUST(-1);
		pthread_join(thread, NULL);
	}
}

static void *exec_in_thread(void *context)
{
	struct stage *stage = context;
	char *const args[] = { "true", NULL };

	MUST(execve(PROGRAM, args, args + 1));
	return NULL;
}

/* The other threads die, the one that called execve takes the leader's place. */
static void exec_by_thread(struct stage *stage, void *context)
{
	pthread_t thread;

	(void)context;
	if (pthread_create(&thread, NULL, exec_in_thread, stage))
		MUST(-1);
	pause();
}

static void act_exec_in_thread(struct stage *stage)
{
	stage_join(stage, stage_fork(stage, "child", exec_by_thread, NULL));
}

static void *outlive(void *context)
{
	const struct timespec a_while = { 0, 20000000 };

	nanosleep(&a_while, NULL);
	return context;
}

/* The process ends with its last thread, not with its first. */
static void lose_leader(struct stage *stage, void *context)
{
	pthread_t thread;

	(void)context;
	if (pthread_create(&thread, NULL, outlive, NULL))
		MUST(-1);
	pthread_exit(NULL);
}

static void act_leader_first(struct stage *stage)
{
	stage_join(stage, stage_fork(stage, "child", lose_leader, NULL));
}

static void die(struct stage *stage, void *context)
{
	(void)stage;
	(void)context;
	raise(SIGKILL);
}

static void act_killed(struct stage *stage)
{
	MUST(waitpid(stage_fork(stage, "child", die, NULL), NULL, 0));
}

static const struct scene scenes[] = {
	{ .name = "plain",
	  .act = act_plain,
	  .check = check_processes,
	  .expected =
		  "fork of child\n"
		  "exec path \"/bin/true\" args \"true\\000--one\\000two words\\000\\000\" child "
		  "of it by child\n"
		  "exit by child\n"
		  "exit\n" },
	{ .name = "named",
	  .act = act_named,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exec path \"/bin/true\" args \"true\\000\" service \"shop\" attributes "
		      "\"service.name=x,team=y\" child of it by child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "bare",
	  .act = act_bare,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exec path \"/bin/true\" args \"true\\000\" child of it by child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "long",
	  .act = act_long,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exec path \"/bin/true\" args 512 times a service 255 times s attributes 255 "
		      "times r child of it by child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "much_environment",
	  .act = act_much_environment,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exec path \"/bin/true\" args \"true\\000\" service \"early\" "
		      "environment-in-part child of it by child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "failed_exec",
	  .act = act_failed_exec,
	  .check = check_processes,
	  .expected = "exit\n" },
	{ .name = "threads", .act = act_threads, .check = check_processes, .expected = "exit\n" },
	{ .name = "exec_in_thread",
	  .act = act_exec_in_thread,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exec path \"/bin/true\" args \"true\\000\" child of it by child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "leader_first",
	  .act = act_leader_first,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exit by child\n"
		      "exit\n" },
	{ .name = "killed",
	  .act = act_killed,
	  .check = check_processes,
	  .expected = "fork of child\n"
		      "exit by child\n"
		      "exit\n" },
};

static const struct group groups[] = {
	{ .name = "processes", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
