/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries that gcc makes, one access model each, loaded into this process: the variable is found where dlsym(3) says that this
 * thread has it. And memory that ends anywhere. */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "published/process_memory.h"
#include "published/thread_place.h"

#define COMMAND_MAX 512

static char folder[] = "/tmp/sonde-thread-place-XXXXXX";

/* Others have references before and behind; `mine` is one without a name. */
static const char source[] =
	"extern __thread void *otel_thread_ctx_v1;"
	"__thread long before[ROOM] = { 1 };"
	"__thread void *otel_thread_ctx_v1;"
	"static __thread long a, b, c, d;"
	"long *other(int i)"
	"{ return i > 3 ? before : i > 2 ? &a : i > 1 ? &b : i ? &c : &d; }"
	"extern __thread void *mine"
	" __attribute__((alias(\"otel_thread_ctx_v1\"), visibility(\"hidden\")));"
	"void publish(void *record) { NAME = record; }";

static int run(const char *command)
{
	return system(command) ? -1 : 0; /* NOLINT(cert-env33-c): our own words */
}

static int setup(void **state)
{
	char command[COMMAND_MAX];

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(command, sizeof(command), "echo '%s' > %s/source.c", source, folder);
	return run(command);
}

static int teardown(void **state)
{
	char command[COMMAND_MAX];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return run(command);
}

/* Returns the library, loaded. */
static void *load(const char *name, const char *options)
{
	char command[COMMAND_MAX], path[128];
	void *library;

	(void)snprintf(path, sizeof(path), "%s/%s.so", folder, name);
	(void)snprintf(
		command, sizeof(command),
		"gcc -O1 -fPIC -shared -DROOM=3 -DNAME=otel_thread_ctx_v1 %s %s/source.c -o %s",
		options, folder, path);
	assert_int_equal(run(command), 0);
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		fail_msg("%s", dlerror());
	return library;
}

/* What the kernel side does. */
static uintptr_t variable_at(const struct thread_place *place)
{
	const uintptr_t *thread = __builtin_thread_pointer();
	const uintptr_t *vector;

	if (place->kind == THREAD_PLACE_STATIC)
		return (uintptr_t)thread + (uintptr_t)place->offset;
	vector = (const uintptr_t *)thread[1];
	assert_true(place->module <= vector[-2]);
	return vector[2 * place->module] + (uintptr_t)place->offset;
}

static int find_here(struct thread_place *ret_place)
{
	struct mapped_files files;
	int result = mapped_files_read((uint32_t)getpid(), &files);

	assert_int_equal(result, 0);
	result = thread_place_find((uint32_t)getpid(), &files, ret_place);
	mapped_files_done(&files);
	return result;
}

static void check(const char *name, const char *options, uint32_t kind)
{
	void *library = load(name, options);
	struct thread_place place = { 0 };
	uintptr_t wanted = (uintptr_t)dlsym(library, THREAD_CONTEXT_SYMBOL);

	assert_int_equal(find_here(&place), 0);
	assert_int_equal(place.kind, kind);
	assert_true(variable_at(&place) == wanted);
	dlclose(library);
	assert_int_equal(find_here(&place), -ENOENT);
}

static void initial_exec(void **state)
{
	(void)state;
	check("initial", "-ftls-model=initial-exec", THREAD_PLACE_STATIC);
	check("initial-own", "-ftls-model=initial-exec -UNAME -DNAME=mine", THREAD_PLACE_STATIC);
}

static void general_dynamic(void **state)
{
	(void)state;
	check("general", "-mtls-dialect=gnu", THREAD_PLACE_GLIBC);
	check("general-own", "-mtls-dialect=gnu -UNAME -DNAME=mine", THREAD_PLACE_GLIBC);
	check("old-hash", "-mtls-dialect=gnu -Wl,--hash-style=sysv", THREAD_PLACE_GLIBC);
}

static void descriptors(void **state)
{
	(void)state;
	/* glibc gives what is small a place in the static block, as long as there is some left. */
	check("descriptor", "-mtls-dialect=gnu2", THREAD_PLACE_STATIC);
	check("descriptor-own", "-mtls-dialect=gnu2 -UNAME -DNAME=mine", THREAD_PLACE_STATIC);
	check("descriptor-large", "-mtls-dialect=gnu2 -UROOM -DROOM=65536", THREAD_PLACE_GLIBC);
	check("descriptor-large-own", "-mtls-dialect=gnu2 -UROOM -DROOM=65536 -UNAME -DNAME=mine",
	      THREAD_PLACE_GLIBC);
}

/* It is there, but only others refer to it. */
static void without_a_reference(void **state)
{
	char command[COMMAND_MAX];
	struct thread_place place;
	void *library;

	(void)state;
	(void)snprintf(command, sizeof(command),
		       "echo '__thread void *otel_thread_ctx_v1;' > %s/source.c", folder);
	assert_int_equal(run(command), 0);
	library = load("alone", "");
	assert_int_equal(find_here(&place), -ENOTSUP);
	dlclose(library);
	(void)snprintf(command, sizeof(command), "echo '%s' > %s/source.c", source, folder);
	assert_int_equal(run(command), 0);
}

static void nobody(void **state)
{
	struct thread_place place;
	struct mapped_files files;

	(void)state;
	assert_int_equal(find_here(&place), -ENOENT);
	assert_int_equal(mapped_files_read(0x7fffffff, &files), -ESRCH);
}

/* Reads succeed so many times. */
struct short_memory {
	unsigned reads_left;
	uint32_t tgid;
};

static int read_some(void *context, uint64_t at, void *ret_bytes, size_t size)
{
	struct short_memory *memory = context;

	if (!memory->reads_left)
		return -EFAULT;
	memory->reads_left--;
	return process_memory_read(&memory->tgid, at, ret_bytes, size);
}

static void memory_that_is_away(void **state)
{
	void *library = load("away", "-mtls-dialect=gnu");
	struct short_memory away = { .tgid = (uint32_t)getpid() };
	struct memory memory = { read_some, &away };
	struct thread_place place;
	unsigned reads = 0;
	Dl_info info;
	int result;

	(void)state;
	assert_true(dladdr(dlsym(library, "publish"), &info));
	do {
		away.reads_left = reads++;
		result =
			thread_place_read(&memory, (uintptr_t)info.dli_fbase, false, false, &place);
		assert_true(result == 0 || result == -EFAULT);
	} while (result);
	assert_in_range(reads, 6, 100);
	dlclose(library);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody),
		cmocka_unit_test(initial_exec),
		cmocka_unit_test(general_dynamic),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(without_a_reference),
		cmocka_unit_test(memory_that_is_away),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
