/* SPDX-License-Identifier: Apache-2.0 */
#include "published/thread_place.h"

#include <errno.h>
#include <string.h>

#include "published/goroutine_place.h"
#include "published/process_memory.h"

/* No address is below (vm.mmap_min_addr), no thread's storage is so long. */
#define ADDRESS_MIN 65536

/* musl has the vector beside the thread pointer on x86-64, as glibc does, but below it on arm64 (arch/aarch64/pthread_arch.h). */
#ifdef __x86_64__
#define VECTOR_OF_MUSL THREAD_PLACE_MUSL
#else
#define VECTOR_OF_MUSL 0
#endif

struct search {
	const struct loaded_module *module;
	const struct thread_symbol *symbol;
	struct thread_place place;
	uint32_t vector_kind; /* enum thread_place_kind; 0: where threads have theirs is not known */
	bool is_unready;
};

static int read_words(const struct search *search, uint64_t at, uint64_t ret_words[2], size_t count)
{
	const struct memory *memory = search->module->memory;

	return memory->read(memory->context, at, ret_words, count * sizeof(*ret_words));
}

static int take_static(struct search *search, const struct thread_reference *reference,
		       int64_t offset)
{
	if (reference->is_own)
		offset += (int64_t)search->symbol->offset - reference->addend;
	search->place = (struct thread_place){ .kind = THREAD_PLACE_STATIC, .offset = offset };
	return 1;
}

/* The pair that __tls_get_addr takes. Returns 1 when it says where the variable is, else 0. */
static int take_module(struct search *search, const struct thread_reference *reference,
		       const uint64_t pair[2])
{
	if (!pair[0]) {
		search->is_unready = true;
		return 0;
	}
	if (pair[0] > THREAD_MODULE_MAX || !search->vector_kind)
		return 0;
	search->place = (struct thread_place){
		.kind = search->vector_kind,
		.module = (uint32_t)pair[0],
		.offset = (int64_t)(reference->is_own ? search->symbol->offset : pair[1])
	};
	return 1;
}

/* Whether a descriptor's argument is an offset: below the thread pointer on x86-64, short above it on arm64. Else it is the address
 * of a pair. */
static bool is_offset(uint64_t argument)
{
	return (int64_t)argument < 0 || argument < ADDRESS_MIN;
}

static int take_descriptor(struct search *search, const struct thread_reference *reference)
{
	uint64_t words[2], pair[2];
	int error = read_words(search, reference->at, words, 2);

	if (error)
		return error;
	if (!words[0] || !words[1]) {
		search->is_unready = true;
		return 0;
	}
	if (is_offset(words[1]))
		return take_static(search, reference, (int64_t)words[1]);
	error = read_words(search, words[1], pair, 2);
	return error ? error : take_module(search, reference, pair);
}

static int take_reference(void *context, const struct thread_reference *reference)
{
	struct search *search = context;
	uint64_t words[2];
	int error;

	if (reference->kind == REFERENCE_DESCRIPTOR)
		return take_descriptor(search, reference);
	error = read_words(search, reference->at, words,
			   reference->kind == REFERENCE_STATIC ? 1 : 2);
	if (error)
		return error;
	if (reference->kind == REFERENCE_MODULE)
		return take_module(search, reference, words);
	if (words[0])
		return take_static(search, reference, (int64_t)words[0]);
	search->is_unready = true;
	return 0;
}

int thread_place_read(const struct memory *memory, uint64_t start, bool is_executable, bool is_musl,
		      struct thread_place *ret_place)
{
	struct thread_symbol symbol;
	struct loaded_module module;
	struct search search = {
		.module = &module,
		.symbol = &symbol,
		.vector_kind = is_musl ? VECTOR_OF_MUSL : THREAD_PLACE_GLIBC,
	};
	int result = loaded_module_open(memory, start, &module);

	if (!result)
		result = loaded_module_find(&module, THREAD_CONTEXT_SYMBOL, &symbol);
	if (result)
		return result;
	if (is_executable) {
		*ret_place = (struct thread_place){ .kind = THREAD_PLACE_STATIC,
						    .offset = loaded_module_static_offset(
							    &module, &symbol) };
		return 0;
	}
	result = loaded_module_each_reference(&module, &symbol, take_reference, &search);
	if (result < 0)
		return result;
	if (!result)
		return search.is_unready ? -EAGAIN : -ENOTSUP;
	*ret_place = search.place;
	return 0;
}

struct process_search {
	struct memory memory;
	struct thread_place place;
	bool is_musl;
	int result;
};

static int notice_musl(void *context, const struct mapped_file *file)
{
	struct process_search *search = context;

	if (strstr(file->path, "/ld-musl-"))
		search->is_musl = true;
	return search->is_musl;
}

/* Of what cannot be used, what would be worth another look counts most. */
static int look_into(void *context, const struct mapped_file *file)
{
	struct process_search *search = context;
	int result = thread_place_read(&search->memory, file->start, file->is_executable,
				       search->is_musl, &search->place);

	if (file->is_executable && (result == -ENOENT || result == -ENOEXEC))
		result = goroutine_place_read(&search->memory, file->start, &search->place);
	if (!result || result == -EAGAIN || (result == -ENOTSUP && search->result != -EAGAIN))
		search->result = result;
	return !result;
}

int thread_place_find(uint32_t tgid, const struct mapped_files *files,
		      struct thread_place *ret_place)
{
	struct process_search search = { .memory = { process_memory_read, &tgid },
					 .result = -ENOENT };

	mapped_files_each(files, notice_musl, &search);
	mapped_files_each(files, look_into, &search);
	if (!search.result)
		*ret_place = search.place;
	return search.result;
}
