/* SPDX-License-Identifier: Apache-2.0 */
#include "published/goroutine_place.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What every Go program says of its build is near the beginning of its data, whoever linked it. */
#define BUILD_INFO "\xff Go buildinf:"
#define BUILD_INFO_ALIGN 16
#define BUILD_INFO_AT_MAX 65536
#define PIECE_BYTES 4096

#ifdef __x86_64__
#define GO_USES_TLS true
#else
#define GO_USES_TLS false
#endif

static bool has_build_info(const char *piece, size_t bytes)
{
	for (size_t at = 0; at + BUILD_INFO_ALIGN <= bytes; at += BUILD_INFO_ALIGN)
		if (memcmp(piece + at, BUILD_INFO, sizeof(BUILD_INFO) - 1) == 0)
			return true;
	return false;
}

/* Returns 1 or 0, negative errno */
static int is_go(const struct loaded_module *module)
{
	uint64_t end =
		module->data_bytes < BUILD_INFO_AT_MAX ? module->data_bytes : BUILD_INFO_AT_MAX;
	char piece[PIECE_BYTES];

	for (uint64_t at = 0; at < end; at += sizeof(piece)) {
		size_t bytes = end - at < sizeof(piece) ? end - at : sizeof(piece);
		int error = module->memory->read(module->memory->context, module->data + at, piece,
						 bytes);

		if (error)
			return error;
		if (has_build_info(piece, bytes))
			return 1;
	}
	return 0;
}

int goroutine_place_read(const struct memory *memory, uint64_t start,
			 struct thread_place *ret_place)
{
	static const struct thread_symbol goroutine = { .offset = 0 };
	struct loaded_module module;
	int result = loaded_module_open_segments(memory, start, &module);

	if (result)
		return result;
	if (!GO_USES_TLS || module.tls_bytes != sizeof(uint64_t))
		return -ENOENT;
	result = is_go(&module);
	if (result <= 0)
		return result ? result : -ENOENT;
	*ret_place =
		(struct thread_place){ .kind = THREAD_PLACE_GOROUTINE,
				       .offset = loaded_module_static_offset(&module, &goroutine) };
	return 0;
}
