/* SPDX-License-Identifier: Apache-2.0 */
/* An executable or library as it lies in a process's memory: its thread-local symbols, and what the dynamic linker made of
 * references to them. Of ELF only what 64-bit programs of this machine's byte order have.
 * Source: ELF gABI chapters 4 and 5; Drepper, ELF Handling For Thread-Local Storage */
#ifndef SONDE_PUBLISHED_LOADED_MODULE_H
#define SONDE_PUBLISHED_LOADED_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies all of the bytes at an address. Returns 0 or negative errno. */
struct memory {
	int (*read)(void *context, uint64_t at, void *ret_bytes, size_t size);
	void *context;
};

struct loaded_module {
	const struct memory *memory; /* borrowed */
	uint64_t bias;		     /* add to what the file says */
	uint64_t start;		     /* where it is */
	uint64_t end;
	uint64_t data;	     /* of the first segment that can be written; 0: none */
	uint64_t data_bytes; /* what the file has of it */
	uint64_t dynamic;    /* 0: none */
	uint64_t dynamic_bytes;
	uint64_t tls_address; /* of the initial image, without the bias */
	uint64_t tls_bytes;
	uint64_t tls_align; /* 0: no thread-local storage */
	uint64_t symbols;
	uint64_t names;
	uint64_t names_bytes;
	uint64_t gnu_hash; /* 0: none */
	uint64_t hash;	   /* the same */
	uint64_t relocations[2];
	uint64_t relocations_bytes[2];
};

/* Read what is needed of the file that is mapped at `start` from its beginning. Returns 0; -ENOEXEC: not one we read, or broken;
 * negative errno */
int loaded_module_open(const struct memory *memory, uint64_t start,
		       struct loaded_module *ret_module);

/* The same, but no more than its segments: it may be linked statically. Fills what comes before `symbols`. */
int loaded_module_open_segments(const struct memory *memory, uint64_t start,
				struct loaded_module *ret_module);

struct thread_symbol {
	uint32_t index;
	uint64_t offset; /* in the module's block */
};

/* Find a thread-local that the module defines. Returns 0, -ENOENT, -ENOEXEC, negative errno */
int loaded_module_find(const struct loaded_module *module, const char *name,
		       struct thread_symbol *ret_symbol);

enum thread_reference_kind {
	REFERENCE_STATIC,     /* a word: from the thread pointer */
	REFERENCE_DESCRIPTOR, /* two: function and argument */
	REFERENCE_MODULE,     /* two: module, offset */
};

struct thread_reference {
	enum thread_reference_kind kind;
	uint64_t at;
	int64_t addend;
	bool is_own; /* it names no symbol: of this module, whichever variable */
};

/* Visit relocations for the symbol, and those of the module for itself; non-zero from visit stops.
 * Returns what visit returned last, 0, or negative errno */
int loaded_module_each_reference(const struct loaded_module *module,
				 const struct thread_symbol *symbol,
				 int (*visit)(void *context, const struct thread_reference *),
				 void *context);

/* Where the variable of the executable is from the thread pointer: as the linker lays it out. */
int64_t loaded_module_static_offset(const struct loaded_module *module,
				    const struct thread_symbol *symbol);

#endif
