/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over options to what is run, and makes a name of that. */
#include "correlate/command_name.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "correlate/runner_table.h"

/* A runner may start a runner: bundle → puma, python3 → gunicorn. */
#define CHAIN_MAX 4

struct args {
	const char *at;
	const char *end;
	char separator;
};

static bool text_is(struct text text, const char *word)
{
	return text.length == strlen(word) && !memcmp(text.at, word, text.length);
}

static bool text_ends(struct text text, const char *suffix)
{
	size_t length = strlen(suffix);

	return text.length >= length && !memcmp(text.at + text.length - length, suffix, length);
}

static struct text text_before(struct text text, char separator)
{
	const char *cut = text.length ? memchr(text.at, separator, text.length) : NULL;

	if (cut)
		text.length = (size_t)(cut - text.at);
	return text;
}

static struct text text_after_last(struct text text, char separator)
{
	for (size_t i = text.length; i > 0; i--)
		if (text.at[i - 1] == separator)
			return (struct text){ text.at + i, text.length - i };
	return text;
}

struct text text_base(struct text path)
{
	while (path.length > 1 && path.at[path.length - 1] == '/')
		path.length--;
	return text_after_last(path, '/');
}

/* Whether `word` stands in a list of words with spaces around each. */
static bool list_has(const char *list, struct text word)
{
	const char *at = list;

	if (!list || !word.length)
		return false;
	while ((at = strchr(at, ' ')) && at[1]) {
		size_t length = strcspn(++at, " ");

		if (length == word.length && !memcmp(at, word.at, length))
			return true;
	}
	return false;
}

/* `python3.11` is python: digits and dots at the end are its version. */
static const struct runner *runner_find(struct text name)
{
	struct text stem = name;

	while (stem.length && (isdigit((unsigned char)stem.at[stem.length - 1]) ||
			       stem.at[stem.length - 1] == '.'))
		stem.length--;
	for (size_t i = 0; i < runner_table_length; i++)
		if (list_has(runner_table[i].names, name) || list_has(runner_table[i].names, stem))
			return &runner_table[i];
	return NULL;
}

static bool args_next(struct args *args, struct text *ret_arg)
{
	const char *end;

	if (args->at >= args->end)
		return false;
	end = memchr(args->at, args->separator, (size_t)(args->end - args->at));
	if (!end)
		end = args->end;
	*ret_arg = (struct text){ args->at, (size_t)(end - args->at) };
	args->at = end < args->end ? end + 1 : end;
	return true;
}

/* app-1.2.3-SNAPSHOT → app: from the first dash before a number that ends or goes on with a dot. */
static struct text without_version(struct text name)
{
	for (size_t i = 1; i + 1 < name.length; i++) {
		size_t at = i + 1 + (name.at[i + 1] == 'v');
		size_t digits = at;

		if (name.at[i] != '-')
			continue;
		while (digits < name.length && isdigit((unsigned char)name.at[digits]))
			digits++;
		if (digits > at && (digits == name.length || name.at[digits] == '.' ||
				    name.at[digits] == '-' || name.at[digits] == '_'))
			return (struct text){ name.at, i };
	}
	return name;
}

static bool strip_suffix(struct text *name, const char *const *suffixes)
{
	for (; *suffixes; suffixes++)
		if (text_ends(*name, *suffixes) && name->length > strlen(*suffixes)) {
			name->length -= strlen(*suffixes);
			return true;
		}
	return false;
}

static struct text name_of_file(struct text target)
{
	static const char *const extensions[] = {
		".pyz", ".pyc", ".pyw", ".py",	 ".mjs", ".cjs",  ".js",   ".mts", ".cts",
		".tsx", ".jsx", ".ts",	".phar", ".php", ".psgi", ".bash", ".sh",  ".dll",
		".exe", ".rb",	".ru",	".pl",	 ".lua", ".R",	  NULL,
	};
	struct text name = text_base(target);

	strip_suffix(&name, extensions);
	/* Source: docs.python.org "__main__": the package or directory is what has the name. */
	if (text_is(name, "__main__") && name.at > target.at + 1)
		return text_base((struct text){ target.at, (size_t)(name.at - target.at) });
	strip_suffix(&name, (const char *const[]){ ".__main__", NULL });
	return name;
}

static struct text name_of_java(struct text target)
{
	static const char *const archives[] = { ".jar", ".war", NULL };
	static const char *const wrappings[] = { "-jar-with-dependencies", "-SNAPSHOT", NULL };
	struct text name = text_base(target);

	if (strip_suffix(&name, archives)) {
		name = without_version(name);
		strip_suffix(&name, wrappings);
		return name;
	}
	strip_suffix(&name, (const char *const[]){ ".java", NULL });
	return text_after_last(name, '.');
}

static struct text name_of_application(struct text target)
{
	return name_of_file(text_before(target, ':'));
}

/* http-server@14, @scope/tool@latest, shop@node-1 */
static struct text name_of_package(struct text target)
{
	struct text name = name_of_file(target);

	return name.length && name.at[0] != '@' ? text_before(name, '@') : name;
}

static struct text (*const name_makers[])(struct text target) = {
	[NAMED_FILE] = name_of_file,
	[NAMED_JAVA] = name_of_java,
	[NAMED_APPLICATION] = name_of_application,
	[NAMED_PACKAGE] = name_of_package,
};
_Static_assert(sizeof(name_makers) / sizeof(name_makers[0]) == NAMED_PACKAGE + 1,
	       "a maker for each");

/* module.path:attribute, and no HOST:PORT or scheme:/path. */
static bool is_application(struct text arg)
{
	struct text module = text_before(arg, ':');

	if (module.length == arg.length || !module.length || module.length + 1 >= arg.length)
		return false;
	if (!isalpha((unsigned char)arg.at[module.length + 1]) && arg.at[module.length + 1] != '_')
		return false;
	for (size_t i = 0; i < module.length; i++)
		if (!isalnum((unsigned char)module.at[i]) && !strchr("._-/", module.at[i]))
			return false;
	return true;
}

enum option_effect {
	OPTION_FLAG,
	OPTION_VALUE,
	OPTION_TARGET, /* *ret_rest is the target, or the next argument when that is empty */
	OPTION_STOP,
};

static enum option_effect option_in_lists(const struct runner *runner, struct text option)
{
	if (list_has(runner->stops, option))
		return OPTION_STOP;
	if (list_has(runner->targets, option))
		return OPTION_TARGET;
	return list_has(runner->values, option) ? OPTION_VALUE : OPTION_FLAG;
}

/* -um http.server, -mhttp.server, -ex: letter by letter. */
static enum option_effect cluster_effect(const struct runner *runner, struct text arg,
					 struct text *ret_rest)
{
	for (size_t i = 1; i < arg.length; i++) {
		char letter[2] = { '-', arg.at[i] };
		enum option_effect effect = option_in_lists(runner, (struct text){ letter, 2 });

		*ret_rest = (struct text){ arg.at + i + 1, arg.length - i - 1 };
		if (effect == OPTION_VALUE && ret_rest->length)
			return OPTION_FLAG;
		if (effect != OPTION_FLAG)
			return effect;
		if (runner->attached && strchr(runner->attached, arg.at[i]))
			return OPTION_FLAG;
	}
	return OPTION_FLAG;
}

static enum option_effect option_effect(const struct runner *runner, struct text arg,
					struct text *ret_rest)
{
	struct text name = arg;
	enum option_effect effect;

	*ret_rest = (struct text){ arg.at, 0 };
	if (arg.length > 2 && arg.at[1] == '-')
		name = text_before(arg, '=');
	effect = option_in_lists(runner, name);
	if (name.length != arg.length) {
		*ret_rest = (struct text){ arg.at + name.length + 1, arg.length - name.length - 1 };
		return effect == OPTION_VALUE ? OPTION_FLAG : effect;
	}
	if (effect == OPTION_FLAG && runner->flags & CLUSTERS && arg.at[1] != '-')
		return cluster_effect(runner, arg, ret_rest);
	return effect;
}

static bool is_option(struct text arg)
{
	return arg.length > 1 && (arg.at[0] == '-' || arg.at[0] == '+');
}

static int first_after_options(struct args *args, struct text *ret_target)
{
	return args_next(args, ret_target) && ret_target->length ? 0 : -ENOENT;
}

/* A word that is no option: a sub-command, what is run, or nothing to us. */
static bool is_target(const struct runner *runner, struct text arg)
{
	if (runner->flags & TARGETS_ONLY || list_has(runner->words, arg))
		return false;
	return arg.at[0] != '@' || runner->naming != NAMED_JAVA; /* java @argfile */
}

/* Move `args` past what the runner runs. */
static int target_find(const struct runner *runner, struct args *args, struct text *ret_target)
{
	struct text arg, rest, candidate = { 0 };

	while (args_next(args, &arg)) {
		bool is_separator = text_is(arg, "--");

		if (!arg.length || (is_separator && runner->flags & TARGETS_ONLY))
			continue; /* Erlang separates its own arguments with -- several times */
		if (is_separator)
			return first_after_options(args, ret_target);
		if (is_option(arg)) {
			enum option_effect effect = option_effect(runner, arg, &rest);

			if (effect == OPTION_STOP)
				return -ENOENT;
			if (effect == OPTION_TARGET && rest.length) {
				*ret_target = rest;
				return 0;
			}
			if (effect == OPTION_TARGET)
				return first_after_options(args, ret_target);
			if (effect == OPTION_VALUE)
				(void)args_next(args, &rest); /* its absence ends the loop */
			continue;
		}
		if (text_is(arg, "-") || list_has(runner->stops, arg))
			break;
		if (!is_target(runner, arg))
			continue;
		if (!(runner->flags & APPLICATIONS) || is_application(arg)) {
			*ret_target = arg;
			return 0;
		}
		if (!candidate.length)
			candidate = arg;
	}
	*ret_target = candidate;
	return candidate.length ? 0 : -ENOENT;
}

/* bash /dev/fd/63, python3 /dev/stdin: a pipe, which has no name. */
static bool is_pipe(struct text target)
{
	return (target.length > 5 && !memcmp(target.at, "/dev/", 5)) ||
	       (target.length > 6 && !memcmp(target.at, "/proc/", 6));
}

static int follow(const struct runner *runner, struct args *args, struct text *ret_name)
{
	struct text target, name = { 0 };

	for (int depth = 0; runner && depth < CHAIN_MAX; depth++) {
		if (target_find(runner, args, &target) < 0 || is_pipe(target))
			break;
		name = name_makers[runner->naming](target);
		runner = runner_find(name);
	}
	*ret_name = name;
	return name.length ? 0 : -ENOENT;
}

/* Servers of interpreted languages write what they are over their arguments:
 * `puma 5.6.4 (tcp://0.0.0.0:80) [shop]`, `gunicorn: master [app:app]`. */
static int name_from_title(struct text title, struct text *ret_name)
{
	struct text name = text_after_last(title, '[');

	if (name.length && name.length < title.length && text_ends(name, "]") &&
	    name.at > title.at + 1 && !memchr(name.at, ' ', name.length)) {
		name.length--;
		*ret_name = name_of_application(name);
	} else {
		*ret_name = text_base(text_before(text_before(title, ' '), ':'));
	}
	return ret_name->length ? 0 : -ENOENT;
}

/* The runner that the first argument or the path of the executable names. */
static const struct runner *runner_of(struct text program, struct text first, struct args *args)
{
	const struct runner *runner = runner_find(text_base(first));

	if (runner)
		return runner;
	if (text_is(text_base(program), "busybox") && text_is(text_base(first), "busybox") &&
	    args_next(args, &first))
		return runner_find(first);
	return runner_find(text_base(program));
}

int command_name_find(struct text program, struct text args_text, struct text *ret_name)
{
	const struct runner *runner;
	struct text first, word;
	struct args args;

	while (args_text.length && !args_text.at[args_text.length - 1])
		args_text.length--; /* what a rewritten title leaves behind it */
	args = (struct args){ args_text.at, args_text.at + args_text.length, '\0' };
	if (!args_next(&args, &first) || !first.length)
		return -ENOENT;
	word = text_before(first, ' ');
	if (word.length == first.length) {
		if (first.at[0] == '-') { /* a login shell */
			first.at++;
			first.length--;
		}
		runner = runner_of(program, first, &args);
		return runner ? follow(runner, &args, ret_name) : -ENOENT;
	}
	runner = runner_find(text_base(word));
	if (runner && args.at >= args.end) { /* npm rewrites its arguments as one, with spaces */
		args = (struct args){ first.at + word.length + 1, first.at + first.length, ' ' };
		return follow(runner, &args, ret_name);
	}
	runner = runner_find(text_base(program));
	if (!runner)
		return -ENOENT;
	return args.at >= args.end ? name_from_title(first, ret_name) :
				     follow(runner, &args, ret_name);
}
