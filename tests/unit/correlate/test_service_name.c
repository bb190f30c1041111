/* SPDX-License-Identifier: Apache-2.0 */
/* Which source wins, and what is done to names that strangers choose. */
#include "correlate/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Arguments are separated by | here. */
struct sample {
	const char *service_name;
	const char *attributes;
	const char *cgroup;
	const char *path;
	const char *args;
	const char *comm;
	const char *expected;
};

static const struct sample samples[] = {
	/* order of the sources */
	{ "shop", "service.name=a", "/system.slice/b.service", "/bin/c", "c|", "d", "shop" },
	{ "", "service.name=a", "/system.slice/b.service", "/bin/c", "c|", "d", "a" },
	{ "  ", "x=y", "/system.slice/b.service", "/bin/python3", "python3|app.py|", "d", "b" },
	{ "", "", "/", "/bin/python3", "python3|app.py|", "d", "app" },
	{ "", "", "", "/usr/sbin/nginx", "nginx: master|", "d", "nginx" },
	{ "", "", "", "", "", "kworker", "kworker" },
	{ "", "", "", "/", "", "", "unknown" },
	{ "", "", "", "/proc/self/fd/7", "/opt/shop|", "7", "shop" },
	{ "", "", "", "/proc/self/fd/7", "", "7", "7" },
	/* OTEL_RESOURCE_ATTRIBUTES */
	{ "", "a=b, service.name = my%20shop ,c=d", "", "/c", "", "", "my shop" },
	{ "", "service.name=a%2Cb%3dc", "", "/c", "", "", "a,b=c" },
	{ "", "service.name=a=b", "", "/c", "", "", "a=b" },
	{ "", "service.name=first,service.name=last", "", "/c", "", "", "last" },
	{ "", "service.name=%zz", "", "/c", "", "", "c" },
	{ "", "service.name=ok,x=%2", "", "/c", "", "", "c" },
	{ "", "service.namespace=n,service.name=", "", "/c", "", "", "c" },
	{ "", "service.name", "", "/c", "", "", "c" },
	{ "", ",,=,;", "", "/c", "", "", "c" },
	/* control groups */
	{ "", "", "/system.slice/nginx.service", "/c", "", "", "nginx" },
	{ "", "", "system.slice/nginx.service/worker", "/c", "", "", "nginx" },
	{ "", "", "/system.slice/system-pg.slice/pg@15-main.service", "/c", "", "", "pg@15-main" },
	{ "", "", "/system.slice/my\\x2dshop.service", "/c", "", "", "my-shop" },
	{ "", "", "/system.slice/x\\x2.service", "/c", "", "", "x\\x2" },
	{ "", "", "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.service", "/c",
	  "", "", "app-foo" },
	{ "", "", "/user.slice/user-1000.slice/user@1000.service/init.scope", "/c", "", "", "c" },
	{ "", "", "/user.slice/user-1000.slice/user@1000.service", "/c", "", "", "c" },
	{ "", "", "/user.slice/user-1000.slice/session-3.scope", "/c", "", "", "c" },
	{ "", "", "/system.slice/run-u12.service", "/c", "", "", "c" },
	{ "", "", "/system.slice/run-r0123456789abcdef0123456789abcdef.service", "/c", "", "",
	  "c" },
	{ "", "", "/system.slice/run-p123-i456.service", "/c", "", "", "c" },
	{ "", "", "/system.slice/run-red.service", "/c", "", "", "run-red" },
	{ "", "", "/system.slice/run-parts.service", "/c", "", "", "run-parts" },
	{ "", "",
	  "/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
	  "/c", "", "", "c" },
	{ "", "", "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "/c",
	  "", "", "c" },
	{ "", "",
	  "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/system.slice/nginx.service",
	  "/c", "", "", "nginx" },
	{ "", "",
	  "/system.slice/containerd.service/kubepods-besteffort-pod1.slice:cri-containerd:0123456789abcdef",
	  "/c", "", "", "c" },
	{ "", "", "/system.slice/.service", "/c", "", "", "c" },
	{ "", "", "//", "/c", "", "", "c" },
	/* what cannot be shown */
	{ "a\nb\x7f", "", "", "/c", "", "", "a_b_" },
	{ "a\x1b[2Jb", "", "", "/c", "", "", "a_[2Jb" },
	{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x8e", "", "", "/c", "", "",
	  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8d\x8e" },
	{ "\xc3", "", "", "/c", "", "", "_" },
	{ "\xc0\xaf|", "", "", "/c", "", "", "__|" },
	{ "\xed\xa0\x80", "", "", "/c", "", "", "___" },
	{ "\xc2\x9b", "", "", "/c", "", "", "_" },
	{ "\xf4\x90\x80\x80", "", "", "/c", "", "", "____" },
};

struct exec_buffer {
	struct event_process_exec exec;
	char payload[2048];
};

static uint16_t append(struct exec_buffer *buffer, size_t *used, const char *text, char separator)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		buffer->payload[*used + i] = (char)(text[i] == separator ? '\0' : text[i]);
	*used += length;
	return (uint16_t)length;
}

static struct event make_event(struct exec_buffer *buffer, const struct sample *sample)
{
	struct event_process_exec *exec = &buffer->exec;
	size_t used = 0;

	memset(buffer, 0, sizeof(*buffer));
	exec->path_bytes = append(buffer, &used, sample->path, '\0');
	exec->args_bytes = append(buffer, &used, sample->args, '|');
	exec->service_name_bytes = append(buffer, &used, sample->service_name, '\0');
	exec->resource_attributes_bytes = append(buffer, &used, sample->attributes, '\0');
	exec->cgroup_bytes = append(buffer, &used, sample->cgroup, '\0');
	memcpy(exec->comm, sample->comm, strlen(sample->comm));
	exec->header.kind = EVENT_PROCESS_EXEC;
	exec->header.size = (uint16_t)(sizeof(*exec) + used);
	return (struct event){
		.header = &exec->header,
		.process_exec = exec,
		.payload = (const uint8_t *)buffer->payload,
		.payload_bytes = used,
	};
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exec_buffer buffer;
		struct event event = make_event(&buffer, &samples[i]);
		char name[SERVICE_NAME_MAX];

		memset(name, 'x', sizeof(name));
		service_name_choose(&event, name);
		if (strcmp(name, samples[i].expected) != 0)
			fail_msg("%zu: '%s' instead of '%s'", i, name, samples[i].expected);
	}
}

static void choose(const struct sample *sample, char name[SERVICE_NAME_MAX])
{
	struct exec_buffer buffer;
	struct event event = make_event(&buffer, sample);

	service_name_choose(&event, name);
}

/* Names longer than the field end before a character, never inside one. */
static void test_long_names(void **state)
{
	char text[PROCESS_ENV_MAX + 1] = { 0 }, name[SERVICE_NAME_MAX];
	struct sample sample = { text, "", "", "/c", "", "", "" };

	(void)state;
	memset(text, 'a', PROCESS_ENV_MAX);
	choose(&sample, name);
	assert_int_equal(strlen(name), SERVICE_NAME_MAX - 1);
	for (size_t i = 0; i + 1 < PROCESS_ENV_MAX; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	choose(&sample, name);
	assert_int_equal(strlen(name), SERVICE_NAME_MAX - 2);
	assert_memory_equal(name + SERVICE_NAME_MAX - 4, "\xc3\xa9", 2);
}

static void fill(char *text, size_t length, const char *head, const char *tail)
{
	memset(text, 'x', length);
	memcpy(text, head, strlen(head));
	memcpy(text + length - strlen(tail), tail, strlen(tail));
	text[length] = '\0';
}

/* What fills its field to the last byte was cut there by the kernel side. */
static void test_cut_sources(void **state)
{
	char attributes[PROCESS_ENV_MAX + 1], args[PROCESS_ARGS_MAX + 1], name[SERVICE_NAME_MAX];
	struct sample sample = { "", attributes, "", "/usr/bin/python3", args, "", "" };

	(void)state;
	fill(attributes, PROCESS_ENV_MAX, "a=b,x=", ",service.name=sho");
	fill(args, PROCESS_ARGS_MAX, "python3|-Wi", "|shop.p");
	choose(&sample, name);
	assert_string_equal(name, "python3");
	fill(attributes, PROCESS_ENV_MAX - 1, "a=b,x=", ",service.name=sho");
	choose(&sample, name);
	assert_string_equal(name, "sho");
	attributes[0] = '\0';
	fill(args, PROCESS_ARGS_MAX, "python3|-Wi", "|shop.py|");
	choose(&sample, name);
	assert_string_equal(name, "shop");
}

/* Lengths that promise more than the payload holds are taken for what is there. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct exec_buffer buffer;
		struct event event = make_event(&buffer, &samples[i]);
		size_t whole = event.payload_bytes;

		for (size_t length = 0; length < whole; length++) {
			uint8_t *exact = malloc(length + !length);
			char name[SERVICE_NAME_MAX];

			assert_non_null(exact);
			memcpy(exact, buffer.payload, length);
			event.payload = exact;
			event.payload_bytes = length;
			service_name_choose(&event, name);
			assert_in_range(strnlen(name, sizeof(name)), 1, sizeof(name) - 1);
			free(exact);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_cut_sources),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
