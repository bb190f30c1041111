/* SPDX-License-Identifier: Apache-2.0 */
#include "published/loaded_module.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* What programs have is far below: more is a broken file, or somebody who wants to keep us busy. */
#define SEGMENTS_MAX 64
#define DYNAMIC_MAX 512
#define CHAIN_MAX 4096
#define RELOCATIONS_MAX 1000000
#define RELOCATIONS_AT_ONCE 512
#define NAME_MAX_BYTES 64
#define PAGE_MASK 0xfffull

#if defined(__x86_64__)
#define MACHINE EM_X86_64
enum {
	TYPE_MODULE = R_X86_64_DTPMOD64,
	TYPE_STATIC = R_X86_64_TPOFF64,
	TYPE_DESCRIPTOR = R_X86_64_TLSDESC,
};
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
enum {
	TYPE_MODULE = R_AARCH64_TLS_DTPMOD,
	TYPE_STATIC = R_AARCH64_TLS_TPREL,
	TYPE_DESCRIPTOR = R_AARCH64_TLSDESC,
};
#else
#error "which relocations are these?"
#endif

static int read_at(const struct loaded_module *module, uint64_t at, void *ret_bytes, size_t size)
{
	return module->memory->read(module->memory->context, at, ret_bytes, size);
}

static int check_header(const Elf64_Ehdr *header)
{
	static const uint8_t ident[] = { ELFMAG0,    ELFMAG1,	  ELFMAG2,   ELFMAG3,
					 ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	return memcmp(header->e_ident, ident, sizeof(ident)) != 0 || header->e_machine != MACHINE ||
			       (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
			       header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
			       header->e_phnum > SEGMENTS_MAX ?
		       -ENOEXEC :
		       0;
}

static bool is_data(const Elf64_Phdr *segment)
{
	return segment->p_flags & PF_W && !(segment->p_flags & PF_X);
}

/* Which segments there are. Returns 0; -ENOEXEC: none */
static int take_segments(struct loaded_module *module, const Elf64_Phdr *segments, size_t count)
{
	uint64_t end = 0, first = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *segment = &segments[i];

		if (segment->p_type == PT_LOAD) {
			if (segment->p_vaddr < first)
				first = segment->p_vaddr;
			if (segment->p_vaddr + segment->p_memsz > end)
				end = segment->p_vaddr + segment->p_memsz;
			if (is_data(segment) && !module->data_bytes) {
				module->data = segment->p_vaddr;
				module->data_bytes = segment->p_filesz;
			}
		} else if (segment->p_type == PT_DYNAMIC) {
			module->dynamic = segment->p_vaddr;
			module->dynamic_bytes = segment->p_memsz;
		} else if (segment->p_type == PT_TLS) {
			module->tls_address = segment->p_vaddr;
			module->tls_bytes = segment->p_memsz;
			module->tls_align = segment->p_align ? segment->p_align : 1;
		}
	}
	if (first == UINT64_MAX)
		return -ENOEXEC;
	module->bias = module->start - (first & ~PAGE_MASK);
	module->end = module->bias + end;
	module->data += module->data ? module->bias : 0;
	module->dynamic += module->dynamic ? module->bias : 0;
	return 0;
}

/* glibc replaces offsets in the dynamic section by addresses, where it can be written. */
static uint64_t address_of(const struct loaded_module *module, uint64_t value)
{
	return value >= module->start && value < module->end ? value : module->bias + value;
}

static void take_entry(struct loaded_module *module, const Elf64_Dyn *entry)
{
	uint64_t value = entry->d_un.d_val, address = address_of(module, value);

	switch (entry->d_tag) {
	case DT_SYMTAB:
		module->symbols = address;
		break;
	case DT_STRTAB:
		module->names = address;
		break;
	case DT_STRSZ:
		module->names_bytes = value;
		break;
	case DT_GNU_HASH:
		module->gnu_hash = address;
		break;
	case DT_HASH:
		module->hash = address;
		break;
	case DT_RELA:
		module->relocations[0] = address;
		break;
	case DT_RELASZ:
		module->relocations_bytes[0] = value;
		break;
	case DT_JMPREL:
		module->relocations[1] = address;
		break;
	case DT_PLTRELSZ:
		module->relocations_bytes[1] = value;
		break;
	default:
		break;
	}
}

static int take_dynamic(struct loaded_module *module)
{
	Elf64_Dyn entries[DYNAMIC_MAX];
	size_t count = module->dynamic_bytes / sizeof(entries[0]);
	int error;

	if (!count || count > DYNAMIC_MAX)
		return -ENOEXEC;
	error = read_at(module, module->dynamic, entries, count * sizeof(entries[0]));
	if (error)
		return error;
	for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
		take_entry(module, &entries[i]);
	return module->symbols && module->names && (module->gnu_hash || module->hash) ? 0 :
											-ENOEXEC;
}

int loaded_module_open_segments(const struct memory *memory, uint64_t start,
				struct loaded_module *ret_module)
{
	struct loaded_module module = { .memory = memory, .start = start };
	Elf64_Phdr segments[SEGMENTS_MAX];
	Elf64_Ehdr header;
	int error = read_at(&module, start, &header, sizeof(header));

	if (!error)
		error = check_header(&header);
	if (!error)
		error = read_at(&module, start + header.e_phoff, segments,
				header.e_phnum * sizeof(segments[0]));
	if (!error)
		error = take_segments(&module, segments, header.e_phnum);
	if (!error)
		*ret_module = module;
	return error;
}

int loaded_module_open(const struct memory *memory, uint64_t start,
		       struct loaded_module *ret_module)
{
	struct loaded_module module;
	int error = loaded_module_open_segments(memory, start, &module);

	if (!error)
		error = module.dynamic ? take_dynamic(&module) : -ENOEXEC;
	if (!error)
		*ret_module = module;
	return error;
}

/* Returns 1 when it is the symbol, 0 when not, negative errno. */
static int is_symbol(const struct loaded_module *module, uint32_t index, const char *name,
		     struct thread_symbol *ret_symbol)
{
	size_t length = strlen(name) + 1;
	char text[NAME_MAX_BYTES];
	Elf64_Sym symbol;
	int error = read_at(module, module->symbols + (uint64_t)index * sizeof(symbol), &symbol,
			    sizeof(symbol));

	if (error)
		return error;
	if (ELF64_ST_TYPE(symbol.st_info) != STT_TLS || symbol.st_shndx == SHN_UNDEF ||
	    length > sizeof(text) || symbol.st_name >= module->names_bytes ||
	    module->names_bytes - symbol.st_name < length)
		return 0;
	error = read_at(module, module->names + symbol.st_name, text, length);
	if (error)
		return error;
	if (memcmp(text, name, length) != 0)
		return 0;
	*ret_symbol = (struct thread_symbol){ index, symbol.st_value };
	return 1;
}

static int find_by_gnu_hash(const struct loaded_module *module, const char *name,
			    struct thread_symbol *ret_symbol)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} table;
	uint32_t wanted = 5381, index, hash;
	uint64_t buckets, chain;
	int result = read_at(module, module->gnu_hash, &table, sizeof(table));

	if (result)
		return result;
	if (!table.buckets)
		return -ENOENT;
	for (const char *at = name; *at; at++)
		wanted = wanted * 33 + (uint8_t)*at;
	buckets = module->gnu_hash + sizeof(table) + 8ull * table.bloom_words;
	chain = buckets + 4ull * table.buckets;
	result = read_at(module, buckets + 4ull * (wanted % table.buckets), &index, sizeof(index));
	if (result || !index)
		return result ? result : -ENOENT;
	if (index < table.first)
		return -ENOEXEC;
	for (unsigned i = 0; i < CHAIN_MAX; i++, index++) {
		result = read_at(module, chain + 4ull * (index - table.first), &hash, sizeof(hash));
		if (!result && (hash | 1) == (wanted | 1))
			result = is_symbol(module, index, name, ret_symbol);
		if (result)
			return result < 0 ? result : 0;
		if (hash & 1)
			return -ENOENT;
	}
	return -ENOEXEC;
}

static int find_by_hash(const struct loaded_module *module, const char *name,
			struct thread_symbol *ret_symbol)
{
	struct {
		uint32_t buckets, symbols;
	} table;
	uint32_t hash = 0, index;
	uint64_t buckets = module->hash + sizeof(table);
	int result = read_at(module, module->hash, &table, sizeof(table));

	if (result)
		return result;
	if (!table.buckets)
		return -ENOENT;
	for (const char *at = name; *at; at++) {
		hash = (hash << 4) + (uint8_t)*at;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	result = read_at(module, buckets + 4ull * (hash % table.buckets), &index, sizeof(index));
	for (unsigned i = 0; !result && index && i < CHAIN_MAX; i++) {
		result = is_symbol(module, index, name, ret_symbol);
		if (result)
			return result < 0 ? result : 0;
		result = read_at(module, buckets + 4ull * table.buckets + 4ull * index, &index,
				 sizeof(index));
	}
	return result ? result : -ENOENT;
}

int loaded_module_find(const struct loaded_module *module, const char *name,
		       struct thread_symbol *ret_symbol)
{
	if (!module->tls_align)
		return -ENOENT;
	return module->gnu_hash ? find_by_gnu_hash(module, name, ret_symbol) :
				  find_by_hash(module, name, ret_symbol);
}

static bool is_reference(const struct thread_symbol *symbol, const Elf64_Rela *relocation,
			 struct thread_reference *ret_reference)
{
	uint64_t type = ELF64_R_TYPE(relocation->r_info), of = ELF64_R_SYM(relocation->r_info);

	if ((type != TYPE_MODULE && type != TYPE_STATIC && type != TYPE_DESCRIPTOR) ||
	    (of && of != symbol->index))
		return false;
	*ret_reference = (struct thread_reference){
		.kind = type == TYPE_MODULE ? REFERENCE_MODULE :
			type == TYPE_STATIC ? REFERENCE_STATIC :
					      REFERENCE_DESCRIPTOR,
		.addend = relocation->r_addend,
		.is_own = !of,
	};
	return true;
}

int loaded_module_each_reference(const struct loaded_module *module,
				 const struct thread_symbol *symbol,
				 int (*visit)(void *context, const struct thread_reference *),
				 void *context)
{
	Elf64_Rela relocations[RELOCATIONS_AT_ONCE];
	struct thread_reference reference;
	int result = 0;

	for (unsigned table = 0; table < 2; table++) {
		uint64_t at = module->relocations[table];
		uint64_t left = module->relocations_bytes[table] / sizeof(relocations[0]);

		if (!at || left > RELOCATIONS_MAX)
			continue;
		while (left) {
			size_t count = left < RELOCATIONS_AT_ONCE ? left : RELOCATIONS_AT_ONCE;

			result = read_at(module, at, relocations, count * sizeof(relocations[0]));
			for (size_t i = 0; !result && i < count; i++) {
				if (!is_reference(symbol, &relocations[i], &reference))
					continue;
				reference.at = module->bias + relocations[i].r_offset;
				result = visit(context, &reference);
			}
			if (result)
				return result;
			at += count * sizeof(relocations[0]);
			left -= count;
		}
	}
	return 0;
}

/* Variant II of Drepper's: the executable's block ends at the thread pointer. Variant I: it begins behind two words. Either way
 * its address is as much out of step with its alignment as the segment's. */
int64_t loaded_module_static_offset(const struct loaded_module *module,
				    const struct thread_symbol *symbol)
{
	uint64_t mask = module->tls_align - 1;

	if (MACHINE == EM_X86_64)
		return (int64_t)(symbol->offset - module->tls_bytes -
				 ((0 - module->tls_address - module->tls_bytes) & mask));
	return (int64_t)(symbol->offset + 16 + ((module->tls_address - 16) & mask));
}
