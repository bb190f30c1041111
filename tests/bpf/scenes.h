/* SPDX-License-Identifier: Apache-2.0 */
/* A test program: groups of scenes, each played once with every hook alternative that this kernel has, and the verdicts
 * as TAP. */
#ifndef SONDE_TESTS_BPF_SCENES_H
#define SONDE_TESTS_BPF_SCENES_H

#include "account.h"
#include "load/hook_table.h"

#define SIGNALS_MAX 32

struct group {
	const char *name;
	struct loader_options options; /* 0: a default */
	const struct scene *scenes;
	size_t count;
	bool preferred_only; /* not with every hook alternative */
};

struct tally {
	const char *filter;
	unsigned number;
	unsigned failed;
};

static inline void tap(struct tally *tally, bool is_ok, const char *group, const char *name,
		       const char *variant, const char *skip)
{
	printf("%sok %u %s/%s (%s)%s%s\n", is_ok ? "" : "not ", ++tally->number, group, name,
	       variant, skip ? " # SKIP " : "", skip ? skip : "");
	fflush(stdout); /* a child must not print it again */
	tally->failed += !is_ok;
}

static inline void tap_text(const char *title, const char *text)
{
	printf("# %s:\n", title);
	while (*text) {
		int length = (int)strcspn(text, "\n");

		printf("#   %.*s\n", length, text);
		text += length + (text[length] == '\n');
	}
	fflush(stdout);
}

/* What was seen, or what the scene's check says of it; the caller's to free. */
static inline char *observer_say(const struct observer *observer, const struct scene *scene)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (observer->undecoded)
		fprintf(out, "%llu records could not be decoded\n",
			(unsigned long long)observer->undecoded);
	if (observer->stage->failure[0])
		fprintf(out, "the act failed: %s\n", observer->stage->failure);
	else if (scene->check)
		scene->check(out, observer);
	else
		observer_word(out, observer);
	fclose(out);
	return text;
}

static inline bool is_as_expected(const struct observer *observer, const struct scene *scene,
				  const char *text)
{
	return observer->stage->skip[0] ||
	       strcmp(text, scene->expected ? scene->expected : "") == 0;
}

static inline void judge(struct tally *tally, const struct observer *observer, const char *group,
			 const struct scene *scene, const char *variant, const char *text)
{
	const char *skip = observer->stage->skip;
	bool is_ok = is_as_expected(observer, scene, text);

	tap(tally, is_ok, group, scene->name, variant, *skip ? skip : NULL);
	if (is_ok)
		return;
	tap_text("expected", scene->expected ? scene->expected : "nothing wrong");
	tap_text("got", text);
}

/* The k-th alternative of every signal that has so many. Returns how many are forced; names the hook. */
static inline size_t force_hooks(size_t k, struct forced_hook *forced, const char **ret_name)
{
	size_t count = 0;

	for (size_t i = 0; i < hook_table_length && count < SIGNALS_MAX; i++) {
		const struct hook *hooks = hook_table[i].hooks;

		if (!hooks[1].name || k >= REPORT_ALTERNATIVES_MAX || !hooks[k].name)
			continue;
		forced[count++] = (struct forced_hook){ hook_table[i].name, hooks[k].name };
		*ret_name = hooks[k].name;
	}
	return count;
}

/* Why a forced hook is not in use, or NULL. */
static inline const char *missing_hook(const struct check_report *report,
				       const struct loader_options *options)
{
	for (size_t i = 0; i < options->forced_count; i++)
		for (size_t j = 0; j < report->signal_count; j++) {
			const struct signal_report *signal = &report->signals[j];

			if (strcmp(signal->signal, options->forced[i].signal) != 0 ||
			    signal->hook || signal->is_off)
				continue;
			for (size_t k = 0; k < signal->alternative_count; k++)
				if (strcmp(signal->alternatives[k].hook, options->forced[i].hook) ==
				    0)
					return signal->alternatives[k].reason;
		}
	return NULL;
}

static inline bool is_wanted(const struct tally *tally, const struct group *group,
			     const struct scene *scene)
{
	return !tally->filter || strstr(group->name, tally->filter) ||
	       strstr(scene->name, tally->filter);
}

/* Returns false when nothing could be loaded. */
static inline bool start_for(struct tally *tally, struct observer *observer,
			     const struct group *group, const struct loader_options *options,
			     const char *variant)
{
	struct check_report *report = NULL;
	int error = observer_start(observer, options, &report);
	const char *missing = report ? missing_hook(report, options) : NULL;

	if (error) {
		tap(tally, false, group->name, "start", variant, NULL);
		tap_text(strerror(-error), report ? report->fatal : "no report");
	} else if (missing) {
		tap(tally, true, group->name, "all", variant, missing);
		observer_stop(observer);
	}
	free(report);
	return !error && !missing;
}

/* Returns false when the scene has to be tried again, with everything loaded anew. */
static inline bool play_once(struct tally *tally, struct observer *observer,
			     const struct group *group, const struct scene *scene,
			     const char *variant, bool is_last_try)
{
	char *text;
	bool is_over;

	observer_play(observer, scene);
	text = observer_say(observer, scene);
	is_over = is_last_try || is_as_expected(observer, scene, text);
	if (is_over)
		judge(tally, observer, group->name, scene, variant, text);
	free(text);
	return is_over;
}

static inline void play_group(struct tally *tally, const struct group *group,
			      const struct loader_options *options, const char *variant)
{
	struct observer observer;
	bool is_started = false;
	unsigned tried = 0;

	for (size_t i = 0; i < group->count;) {
		const struct scene *scene = &group->scenes[i];

		if (!is_wanted(tally, group, scene)) {
			i++;
			continue;
		}
		if (!is_started && !start_for(tally, &observer, group, options, variant))
			return;
		is_started = true;
		if (play_once(tally, &observer, group, scene, variant, ++tried >= scene->tries)) {
			tried = 0;
			i++;
			continue;
		}
		observer_stop(&observer);
		is_started = false;
	}
	if (is_started)
		observer_stop(&observer);
}

/* Scenes that begin before the loader does need one each. */
static inline void play_from_before(struct tally *tally, const struct group *group,
				    const struct scene *scene, const struct loader_options *options,
				    const char *variant)
{
	struct observer waiting = { .stage = NULL }, observer;
	struct stage *stage = stage_new();
	pid_t pid = observer_begin(&waiting, scene, stage);
	char *text;

	stage_await(stage, 1);
	if (start_for(tally, &observer, group, options, variant)) {
		observer.stage = stage;
		stage_mark(stage, 0);
		observer_finish(&observer, pid);
		text = observer_say(&observer, scene);
		judge(tally, &observer, group->name, scene, variant, text);
		free(text);
		observer_stop(&observer);
		return;
	}
	stage_mark(stage, 0);
	observer_finish(&waiting, pid);
	munmap(stage, sizeof(*stage));
}

static inline void play_variant(struct tally *tally, const struct group *group,
				const struct loader_options *options, const char *variant)
{
	if (!group->scenes[0].starts_before) {
		play_group(tally, group, options, variant);
		return;
	}
	for (size_t i = 0; i < group->count; i++)
		if (is_wanted(tally, group, &group->scenes[i]))
			play_from_before(tally, group, &group->scenes[i], options, variant);
}

static inline int observer_main(int argc, char **argv, const struct group *groups, size_t count)
{
	struct tally tally = { .filter = argc > 1 ? argv[1] : NULL };

	for (size_t i = 0; i < count; i++) {
		struct loader_options options = groups[i].options;
		struct forced_hook forced[SIGNALS_MAX];
		const char *variant = "preferred";

		if (groups[i].preferred_only)
			play_variant(&tally, &groups[i], &options, variant);
		else
			for (size_t k = 0;
			     (options.forced_count = force_hooks(k, forced, &variant)); k++) {
				options.forced = forced;
				play_variant(&tally, &groups[i], &options, variant);
			}
	}
	printf("1..%u\n", tally.number);
	return tally.failed ? 1 : 0;
}

#endif
