/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins for what user/load uses of libbpf, linked in front of the real ones. Objects have the programs
 * that the hook table names and the maps that families share; every step can be told to fail. */
#ifndef SONDE_TESTS_FAKE_LIBBPF_H
#define SONDE_TESTS_FAKE_LIBBPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config_abi.h"

enum fake_step {
	FAKE_OPEN,	    /* name: object */
	FAKE_LOAD,	    /* object, or a program in it that is switched on */
	FAKE_LOAD_TOGETHER, /* object: with two programs or more */
	FAKE_ATTACH,	    /* program */
	FAKE_ITERATE,	    /* "": making an iterator */
	FAKE_ITERATE_READ,  /* "": reading it */
	FAKE_MAP_CREATE,    /* map */
	FAKE_MAP_SIZE,	    /* map, like the next two */
	FAKE_MAP_REUSE,
	FAKE_MAP_INNER,
	FAKE_MAP_VALUE,	 /* object */
	FAKE_MAP_UPDATE, /* "", like all that follow */
	FAKE_RUN,
	FAKE_LOOKUP,
	FAKE_BATCH,
	FAKE_DELETE,
	FAKE_INFO,
	FAKE_STATS,
	FAKE_CPUS,
	FAKE_MEMLOCK,
};

/* For the stand-ins: 0, or the negative errno that the step shall fail with, errno set. */
int fake_fails(enum fake_step step, const char *name);
/* A descriptor that can be closed like the kernel's. */
int fake_fd(void);
void fake_note_entries(const char *map, uint32_t entries);

/* Forget all faults, files (fake_system.h) and what was seen. In each test's setup. */
void fake_reset(void);

/* Let a step fail with a positive errno, each time. name: NULL for any. */
void fake_fail(enum fake_step step, const char *name, int error);

/* Only the nth, counted from 0, and those after it. */
void fake_fail_from(enum fake_step step, const char *name, size_t nth, int error);

/* What the code under test has not given back. */
size_t fake_live(void);
/* Names of attached programs, in order, each followed by a blank. */
const char *fake_attached(void);
/* The read-only settings that an object got; NULL: none. */
const struct bpf_settings *fake_settings(const char *object);
/* Entries of a map as it was loaded; 0: none of that name. Ring buffers: by "ring_process", "ring_shard". */
uint32_t fake_entries(const char *map);

/* What the control program was run with last, and what it shall return. */
extern uint64_t fake_run_args[4];
extern int fake_run_result;

/* What bpf_map_lookup_batch hands out: keys are 1 to fake_batch_entries, values ten times that, both 64 bits wide, at most
 * fake_batch_step at once. bpf_map_lookup_elem writes fake_batch_step numbers of 64 bits, each the key plus 1. */
extern uint32_t fake_batch_entries;
extern uint32_t fake_batch_step;
extern uint32_t fake_cpus;

/* The file that iterators are read from; NULL: an empty one. */
extern const char *fake_iterator_path;

/* What the probe object finds (enum probe_answer), and the descriptor of the map it is read from. */
extern uint32_t fake_probe_answer;
extern int fake_probe_fd;

#endif
