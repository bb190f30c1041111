/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel makes of the programs: names that are still told apart where it cuts them, and how much work the
 * verifier has with each. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "scenes.h"

#define NAME_KEPT 15 /* BPF_OBJ_NAME_LEN without the NUL */
#define NAMES_MAX 128

/* The kernel gives up at a million; other kernels and compilers need more than this one. */
#define INSTRUCTIONS_MAX 200000

struct names {
	const char *list[NAMES_MAX];
	size_t count;
};

static void add_name(struct names *names, const char *name)
{
	if (names->count < NAMES_MAX)
		names->list[names->count++] = name;
}

static void report_twins(struct tally *tally, const struct names *names, const char *what)
{
	bool is_ok = names->count > 0 && names->count < NAMES_MAX;

	for (size_t i = 0; i < names->count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(names->list[i], names->list[j]) != 0 &&
			    strncmp(names->list[i], names->list[j], NAME_KEPT) == 0) {
				is_ok = false;
				printf("# %s and %s\n", names->list[i], names->list[j]);
			}
	tap(tally, is_ok, what, "names_told_apart", "preferred", NULL);
}

/* Over all objects: bpftool and `top` show them side by side. */
static void test_names(struct tally *tally, const struct loader *loader)
{
	struct names programs = { .count = 0 }, maps = { .count = 0 };
	struct bpf_object *object;

	for (size_t i = 0; (object = loader_object(loader, i)); i++) {
		struct bpf_program *program;
		struct bpf_map *map;

		bpf_object__for_each_program(program, object)
			add_name(&programs, bpf_program__name(program));
		bpf_object__for_each_map(map, object)
			if (!bpf_map__is_internal(map))
				add_name(&maps, bpf_map__name(map));
	}
	report_twins(tally, &programs, "programs");
	report_twins(tally, &maps, "maps");
}

static void test_instructions(struct tally *tally, const struct bpf_program *program,
			      const char *variant)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) {
		tap(tally, false, "instructions", bpf_program__name(program), variant, NULL);
		return;
	}
	/* Told since aba64c7da983 ("bpf: Add verified_insns to bpf_prog_info and fdinfo"), 5.16. */
	tap(tally, info.verified_insns < INSTRUCTIONS_MAX, "instructions",
	    bpf_program__name(program), variant,
	    info.verified_insns ? NULL : "the kernel does not tell");
	printf("# %u\n", info.verified_insns);
}

static void test_programs(struct tally *tally, const struct loader *loader, const char *variant)
{
	struct bpf_object *object;

	for (size_t i = 0; (object = loader_object(loader, i)); i++) {
		struct bpf_program *program;

		bpf_object__for_each_program(program, object)
			if (bpf_program__fd(program) >= 0)
				test_instructions(tally, program, variant);
	}
}

int main(void)
{
	struct tally tally = { .number = 0 };
	struct loader_options options = { .settings.tells_waits = 1 };
	struct forced_hook forced[SIGNALS_MAX];
	const struct group group = { .name = "program_limits" };
	const char *variant = NULL;

	for (size_t k = 0; (options.forced_count = force_hooks(k, forced, &variant)); k++) {
		struct observer observer;

		options.forced = forced;
		if (!start_for(&tally, &observer, &group, &options, variant))
			continue;
		if (k == 0)
			test_names(&tally, observer.loader);
		test_programs(&tally, observer.loader, variant);
		observer_stop(&observer);
	}
	printf("1..%u\n", tally.number);
	return tally.failed ? 1 : 0;
}
