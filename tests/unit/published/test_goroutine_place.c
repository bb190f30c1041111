/* SPDX-License-Identifier: Apache-2.0 */
/* Which executables are Go programs whose goroutines are found. That the place is right is shown end to end (cases/goroutines.py). */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "published/goroutine_place.h"

#define START 0x400000u
#define DATA_AT 0x1000u
#define DATA_BYTES (128u << 10)
#define INFO "\xff Go buildinf:"

#ifdef __x86_64__
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

static struct {
	Elf64_Ehdr header;
	Elf64_Phdr segments[3];
	uint8_t _to_data[DATA_AT - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
	uint8_t data[DATA_BYTES];
} image;

static int read_image(void *context, uint64_t at, void *ret_bytes, size_t size)
{
	(void)context;
	if (at < START || at - START > sizeof(image) || sizeof(image) - (at - START) < size)
		return -EFAULT;
	memcpy(ret_bytes, (const uint8_t *)&image + (at - START), size);
	return 0;
}

/* A static executable, as Go's linker makes them. */
static int make(void **state)
{
	(void)state;
	memset(&image, 0, sizeof(image));
	memcpy(image.header.e_ident, ELFMAG "\x02\x01\x01",
	       7); /* 64 bits, little-endian, version 1 */
	image.header.e_machine = MACHINE;
	image.header.e_type = ET_EXEC;
	image.header.e_phoff = sizeof(image.header);
	image.header.e_phentsize = sizeof(image.segments[0]);
	image.header.e_phnum = 3;
	image.segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_R | PF_X,
					  .p_vaddr = START,
					  .p_filesz = DATA_AT,
					  .p_memsz = DATA_AT };
	image.segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
					  .p_flags = PF_R | PF_W,
					  .p_vaddr = START + DATA_AT,
					  .p_filesz = DATA_BYTES,
					  .p_memsz = DATA_BYTES };
	image.segments[2] = (Elf64_Phdr){ .p_type = PT_TLS, .p_memsz = 8, .p_align = 8 };
	memcpy(image.data, INFO, sizeof(INFO) - 1);
	return 0;
}

static int look(struct thread_place *ret_place)
{
	static const struct memory memory = { .read = read_image };

	return goroutine_place_read(&memory, START, ret_place);
}

static void check_found(void)
{
	struct thread_place place = { 0 };

#ifdef __x86_64__
	assert_int_equal(look(&place), 0);
	assert_int_equal(place.kind, THREAD_PLACE_GOROUTINE);
	assert_int_equal(place.offset, -8);
#else
	assert_int_equal(look(&place), -ENOENT);
#endif
}

static void check_none(int error)
{
	struct thread_place place = { 0 };

#ifndef __x86_64__
	if (error == -EFAULT)
		error = -ENOENT; /* it is not looked for */
#endif
	assert_int_equal(look(&place), error);
	assert_int_equal(place.kind, 0);
}

static void go_programs(void **state)
{
	(void)state;
	check_found();
	/* Another linker puts it behind other things. */
	memset(image.data, 0, 16);
	memcpy(image.data + 65536 - 16, INFO, sizeof(INFO) - 1);
	check_found();
	/* The last of what there is. */
	memset(image.data, 0, sizeof(image.data));
	memcpy(image.data + 48, INFO, sizeof(INFO) - 1);
	image.segments[1].p_filesz = 64;
	check_found();
}

static void others(void **state)
{
	(void)state;
	memset(image.data, 0, 16);
	check_none(-ENOENT);
	memcpy(image.data + 8, INFO, sizeof(INFO) - 1); /* where it cannot be */
	check_none(-ENOENT);
	memset(image.data, 0, 64);
	memcpy(image.data + 65536, INFO, sizeof(INFO) - 1);
	check_none(-ENOENT);
	image.segments[1].p_flags = PF_R;
	check_none(-ENOENT);
}

/* C that keeps something there, too, may have it on either side. */
static void other_storage(void **state)
{
	(void)state;
	image.segments[2].p_memsz = 16;
	check_none(-ENOENT);
	image.header.e_phnum = 2;
	check_none(-ENOENT);
}

static void broken(void **state)
{
	(void)state;
	image.segments[1].p_vaddr = START + sizeof(image);
	check_none(-EFAULT);
	image.segments[0].p_type = image.segments[1].p_type = PT_NULL;
	check_none(-ENOEXEC);
	image.header.e_phnum = 0;
	check_none(-ENOEXEC);
	memset(&image.header, 0, sizeof(image.header));
	check_none(-ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(go_programs, make),
		cmocka_unit_test_setup(others, make),
		cmocka_unit_test_setup(other_storage, make),
		cmocka_unit_test_setup(broken, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
