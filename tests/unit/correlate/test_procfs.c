/* SPDX-License-Identifier: Apache-2.0 */
/* Real processes, started by the test, read back from /proc. */
#include "correlate/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define DIRECTORY "/tmp/sonde-test-procfs-XXXXXX"

struct child {
	pid_t pid;
	int hold; /* closing it ends the child */
};

static _Alignas(8) uint8_t buffer[PROCFS_EVENT_MAX + SERVICE_NAME_MAX];

/* Run a program that reads standard input to its end, and wait until it has been loaded: the pipe that exec
 * closes says so. */
static struct child start(char *const argv[], char *const environment[])
{
	int hold[2], loaded[2];
	struct child child;
	char byte;

	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	assert_int_equal(pipe2(loaded, O_CLOEXEC), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (!child.pid) {
		dup2(hold[0], STDIN_FILENO);
		execve(argv[0], argv, environment);
		_exit(127);
	}
	close(hold[0]);
	close(loaded[1]);
	assert_int_equal(read(loaded[0], &byte, 1), 0);
	close(loaded[0]);
	child.hold = hold[1];
	return child;
}

static void stop(struct child *child)
{
	int status;

	close(child->hold);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static struct event read_event(pid_t pid)
{
	int length = procfs_read_process((uint32_t)pid, buffer, sizeof(buffer));
	const struct event_process_exec *exec = (const void *)buffer;
	struct event event = { .header = &exec->header, .process_exec = exec };

	assert_true(length >= (int)sizeof(*exec));
	assert_int_equal(exec->header.size, length);
	assert_int_equal(exec->header.kind, EVENT_PROCESS_EXEC);
	assert_int_equal(exec->header.tgid, pid);
	assert_true(exec->exec_flags & PROCESS_FOUND);
	event.payload = buffer + sizeof(*exec);
	event.payload_bytes = (size_t)length - sizeof(*exec);
	assert_int_equal(event.payload_bytes,
			 exec->path_bytes + exec->args_bytes + exec->service_name_bytes +
				 exec->resource_attributes_bytes + exec->cgroup_bytes);
	return event;
}

/* The name without the control group: where the test itself runs is not its business. */
static void assert_named(pid_t pid, const char *expected)
{
	struct event event = read_event(pid);
	struct event_process_exec exec = *event.process_exec;
	char name[SERVICE_NAME_MAX];

	event.payload_bytes -= exec.cgroup_bytes;
	exec.cgroup_bytes = 0;
	event.process_exec = &exec;
	service_name_choose(&event, name);
	assert_string_equal(name, expected);
}

static void test_shell_script(void **state)
{
	char directory[] = DIRECTORY, script[64];
	char *argv[] = { (char *)"/bin/sh", script, NULL };
	struct child child;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(script, sizeof(script), "%s/warden.sh", directory);
	file = fopen(script, "w");
	assert_non_null(file);
	fputs("read line\nexit 0\n", file);
	fclose(file);
	child = start(argv, (char *[]){ NULL });
	assert_named(child.pid, "warden");
	assert_int_equal(((const struct event_process_exec *)(const void *)buffer)->parent_tgid,
			 getpid());
	stop(&child);
	unlink(script);
	rmdir(directory);
}

static void test_python_module(void **state)
{
	char *argv[] = { (char *)"/usr/bin/python3", (char *)"-um", (char *)"base64", (char *)"-",
			 NULL };
	struct child child;

	(void)state;
	if (access(argv[0], X_OK) != 0)
		skip();
	child = start(argv, (char *[]){ NULL });
	assert_named(child.pid, "base64");
	stop(&child);
}

static void test_environment(void **state)
{
	char *argv[] = { (char *)"/bin/cat", NULL };
	struct child child;

	(void)state;
	child = start(argv, (char *[]){ (char *)"A=1", (char *)"OTEL_SERVICE_NAME=shop",
					(char *)"OTEL_RESOURCE_ATTRIBUTES=service.name=x", NULL });
	assert_named(child.pid, "shop");
	stop(&child);
	child = start(argv, (char *[]){ (char *)"XOTEL_SERVICE_NAME=no",
					(char *)"OTEL_RESOURCE_ATTRIBUTES=service.name=my%20shop",
					NULL });
	assert_named(child.pid, "my shop");
	stop(&child);
	child = start(argv, (char *[]){ NULL });
	assert_named(child.pid, "cat");
	stop(&child);
}

/* What a process publishes takes the place of what its environment says, and of nothing. */
static void test_renamed(void **state)
{
	char *environments[][2] = { { (char *)"OTEL_SERVICE_NAME=shop", NULL }, { NULL, NULL } };
	char *argv[] = { (char *)"/bin/cat", NULL }, name[SERVICE_NAME_MAX];
	char longest[SERVICE_NAME_MAX];
	const char *published[] = { "till", longest };

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < 4; i++) {
		struct child child = start(argv, environments[i / 2]);
		struct event before = read_event(child.pid), after;
		struct event_process_exec exec = *before.process_exec;
		size_t length = procfs_rename(buffer, published[i % 2]);

		assert_int_equal(length, exec.header.size - exec.service_name_bytes +
						 strlen(published[i % 2]));
		assert_int_equal(event_decode(buffer, length, &after), 0);
		service_name_choose(&after, name);
		assert_string_equal(name, published[i % 2]);
		assert_memory_equal(after.payload, "/", 1);
		assert_int_equal(after.process_exec->cgroup_bytes, exec.cgroup_bytes);
		stop(&child);
	}
}

/* Class paths of kilobytes must not push out what names the program. */
static void test_long_arguments(void **state)
{
	static char class_path[8000], property[3000];
	char *argv[] = {
		(char *)"/bin/sh", (char *)"-c", (char *)"read line; exit 0", (char *)"-cp",
		class_path,	   property,	 (char *)"com.acme.Orders",   NULL
	};
	struct child child;
	struct event event;
	const char *args;

	(void)state;
	memset(class_path, 'x', sizeof(class_path) - 1);
	memset(property, 'y', sizeof(property) - 1);
	memcpy(property, "-Dk=", 4);
	child = start(argv, (char *[]){ NULL });
	event = read_event(child.pid);
	args = (const char *)event.payload + event.process_exec->path_bytes;
	assert_in_range(event.process_exec->args_bytes, 1, PROCESS_ARGS_MAX);
	assert_string_equal(args + event.process_exec->args_bytes - sizeof("com.acme.Orders"),
			    "com.acme.Orders");
	assert_null(memmem(args, event.process_exec->args_bytes, "yyy", 3));
	stop(&child);
}

static void test_start_time_names_the_process(void **state)
{
	char *argv[] = { (char *)"/bin/cat", NULL };
	struct child child;
	uint64_t start_ns;

	(void)state;
	child = start(argv, (char *[]){ NULL });
	start_ns = read_event(child.pid).process_exec->start_ns;
	assert_true(start_ns >= read_event(getpid()).process_exec->start_ns);
	assert_int_equal(read_event(child.pid).process_exec->start_ns, start_ns);
	stop(&child);
}

static void test_gone(void **state)
{
	siginfo_t ended;
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
	assert_int_equal(procfs_read_process((uint32_t)pid, buffer, sizeof(buffer)),
			 -ESRCH); /* a zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(procfs_read_process((uint32_t)pid, buffer, sizeof(buffer)), -ESRCH);
	assert_int_equal(procfs_read_process(0, buffer, sizeof(buffer)), -ESRCH);
	assert_int_equal(procfs_read_process(1, buffer, 100), -EINVAL);
}

/* Its memory is gone before it is: who looks then finds nothing, and not another name. */
static void test_ending(void **state)
{
	char *argv[] = { (char *)"/bin/cat", NULL };

	(void)state;
	for (int i = 0; i < 300; i++) {
		struct child child =
			start(argv, (char *[]){ (char *)"OTEL_SERVICE_NAME=kept", NULL });
		const struct event_process_exec *exec = (const void *)buffer;

		do /* exec closes files before it sets up the environment */
			(void)procfs_read_process((uint32_t)child.pid, buffer, sizeof(buffer));
		while (!exec->service_name_bytes);
		close(child.hold);
		while (procfs_read_process((uint32_t)child.pid, buffer, sizeof(buffer)) > 0)
			assert_int_equal(exec->service_name_bytes, strlen("kept"));
		assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
	}
}

static void test_kernel_thread(void **state)
{
	char comm[16] = "";
	FILE *file = fopen("/proc/2/comm", "r");

	(void)state;
	if (!file)
		skip();
	if (!fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	fclose(file);
	if (strcmp(comm, "kthreadd\n") != 0) /* a PID namespace of our own */
		skip();
	assert_int_equal(procfs_read_process(2, buffer, sizeof(buffer)), -ESRCH);
}

static int find_self(void *context, uint32_t tgid)
{
	unsigned *calls = context;

	++*calls;
	return tgid == (uint32_t)getpid() ? 42 : 0;
}

static void test_each(void **state)
{
	unsigned calls = 0;

	(void)state;
	assert_int_equal(procfs_each_process(find_self, &calls), 42);
	assert_true(calls > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shell_script),
		cmocka_unit_test(test_python_module),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_long_arguments),
		cmocka_unit_test(test_start_time_names_the_process),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_ending),
		cmocka_unit_test(test_kernel_thread),
		cmocka_unit_test(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
