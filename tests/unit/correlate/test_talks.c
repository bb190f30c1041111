/* SPDX-License-Identifier: Apache-2.0 */
/* What real servers and clients said (tests/e2e/talks), through the whole engine as the kernel side would show it: cut at
 * every byte it is reported the same; whichever event is lost, nothing is reported that was not, and what follows is exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

#define SAYINGS_MAX 128
#define LINE_MAX_BYTES 16384
#define GRACE 2 /* sayings: the exchange after a loss may be the one that shows it */

static const char *const talks[] = {
	"http_nginx",
	"http_node",
	"redis",
	"postgresql",
	"mysql",
	"mysql_prepared",
	"memcached_text",
	"memcached_binary",
	"kafka_java_group",
	"amqp",
	"mongodb",
	"fastcgi",
	"kafka_rdkafka",
};

#define TALKS (sizeof(talks) / sizeof(talks[0]))

/* Of protocols with streams and header tables: what is said once more on a connection means something else. */
static const char *const stream_talks[] = {
	"http2_h2load",
	"http2_nghttp",
	"http2_upgrade",
	"grpc",
};

#define STREAM_TALKS (sizeof(stream_talks) / sizeof(stream_talks[0]))

struct saying {
	enum turn_dir dir; /* of the server */
	size_t length;
	char *bytes; /* owned */
};

/* The talk under test. Its sayings before `login` are said once, to begin with, and those from `last` on at the end. */
static struct saying sayings[SAYINGS_MAX];
static size_t saying_count, login, last;

static size_t unescape(char *to, const char *from)
{
	char *start = to;

	for (; *from && *from != '\n'; from++) {
		char digits[3] = { 0 };

		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'x') {
			memcpy(digits, from + 1, 2);
			*to++ = (char)strtoul(digits, NULL, 16);
			from += 2;
		} else {
			*to++ = *from == 'r' ? '\r' : *from == 'n' ? '\n' : '\\';
		}
	}
	return (size_t)(to - start);
}

static void load(const char *talk)
{
	static char line[LINE_MAX_BYTES], bytes[LINE_MAX_BYTES];
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "tests/e2e/talks/%s", talk);
	file = fopen(path, "re");
	assert_non_null(file);
	saying_count = login = 0;
	last = SIZE_MAX;
	while (fgets(line, sizeof(line), file)) {
		struct saying *saying = &sayings[saying_count];

		if (line[0] == '[')
			login = saying_count;
		if (line[0] == ']')
			last = saying_count;
		if (line[1] != ' ')
			continue;
		assert_true(saying_count++ < SAYINGS_MAX);
		saying->dir = line[0] == '>' ? DIR_READ : DIR_WRITE;
		saying->length = unescape(bytes, line + 2);
		saying->bytes = malloc(saying->length);
		assert_non_null(saying->bytes);
		memcpy(saying->bytes, bytes, saying->length);
	}
	fclose(file);
	if (last > saying_count)
		last = saying_count;
}

static void unload(void)
{
	while (saying_count)
		free(sayings[--saying_count].bytes);
}

static void begin(struct script *script, enum conn_role role)
{
	assert_int_equal(script_open(script, NULL), 0);
	script_connect(script, role, 0);
}

/* The end of an answer that was not captured shows when the connection is closed. */
static void hang_up(struct script *script)
{
	script_tick(script, 1000);
	script_hang_up(script, 0);
}

/* Says what is numbered from `from` up to `to`: each in pieces of `size`, or in two, cut at `cut`; 0: neither. */
static void say(struct script *script, size_t from, size_t to, size_t cut, size_t size)
{
	for (size_t i = from; i < to; i++) {
		const struct saying *saying = &sayings[i];
		enum turn_dir dir = script->conn.role == ROLE_SERVER ? saying->dir : !saying->dir;

		for (size_t at = 0, piece; at < saying->length; at += piece) {
			piece = saying->length - at;
			if (size && piece > size)
				piece = size;
			else if (at < cut && cut < saying->length)
				piece = cut - at;
			script_call(script, dir, saying->bytes + at, piece);
		}
	}
}

static void check_cut(const char *talk, enum conn_role role, size_t cut, size_t size,
		      const char *expected)
{
	static struct script script;

	begin(&script, role);
	say(&script, 0, saying_count, cut, size);
	hang_up(&script);
	if (strcmp(script.log, expected) != 0) {
		print_error("%s, cut at %zu, pieces of %zu:\n got      %s\n expected %s\n", talk,
			    cut, size, script.log, expected);
		fail();
	}
	script_close(&script);
}

static void check_all_cuts(const char *talk, enum conn_role role)
{
	static char expected[SCRIPT_LOG_MAX];
	static struct script script;
	size_t longest = 0;

	begin(&script, role);
	say(&script, 0, saying_count, 0, 0);
	hang_up(&script);
	strcpy(expected, script.log);
	script_close(&script);
	assert_null(strstr(expected, "partial"));
	for (size_t i = 0; i < saying_count; i++)
		longest = sayings[i].length > longest ? sayings[i].length : longest;
	for (size_t cut = 1; cut < longest; cut++)
		check_cut(talk, role, cut, 0, expected);
	for (size_t size = 1; size < 40; size++)
		check_cut(talk, role, 0, size, expected);
}

static void are_the_same_however_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		load(talks[i]);
		check_all_cuts(talks[i], ROLE_SERVER);
		check_all_cuts(talks[i], ROLE_CLIENT);
		unload();
	}
	for (size_t i = 0; i < STREAM_TALKS; i++) {
		load(stream_talks[i]);
		check_all_cuts(stream_talks[i], ROLE_SERVER);
		check_all_cuts(stream_talks[i], ROLE_CLIENT);
		unload();
	}
}

/* Events of the talk's calls, which are of `size` bytes; 0: as long as what is said. */
struct loss {
	size_t size;
	int first;
	int count;
};

/* The talk, the exchange in which a loss may show, and the talk again; returns where in the log the last begins. */
static size_t say_again(struct script *script, const struct loss *loss)
{
	size_t at;

	say(script, 0, login, 0, 0);
	script->drop_event = loss->first;
	script->drop_more = loss->count - 1;
	say(script, login, last, 0, loss->size);
	script->drop_event = 0;
	say(script, login, login + GRACE, 0, 0);
	at = script->log_bytes;
	say(script, login, last, 0, 0);
	hang_up(script);
	return at;
}

/* The next request in a log, without its outcomes; NULL: none. */
static const char *next_request(const char *log, size_t *ret_length)
{
	const char *server = strstr(log, "server "), *client = strstr(log, "client ");
	const char *start = !server || (client && client < server) ? client : server;

	if (start)
		*ret_length = strcspn(start, "[");
	return start;
}

static bool is_partial(const char *request, size_t length)
{
	return memmem(request, length, " partial ", 9) != NULL;
}

static bool has_outcome(const char *request, size_t length, const char *outcome)
{
	const char *found = strstr(request, outcome);
	const char *next = next_request(request + length, &length);

	return found && (!next || found < next);
}

/* Its statement or header was not seen, or not to its end: no operation, table or path, or not to what it was switched, and a
 * word that says so. */
static bool is_unnamed(const char *request, size_t length)
{
	return has_outcome(request, length, "statement_unknown;") ||
	       has_outcome(request, length, "header_unknown;") ||
	       has_outcome(request, length, "header_truncated;");
}

/* Takes a request out of the log. Of an error whose code was lost it is known that there was one. */
static bool take_out(char *log, const char *request, size_t length)
{
	char text[512];
	char *found, *other;

	assert_true(length < sizeof(text));
	memcpy(text, request, length);
	text[length] = '\0';
	other = strstr(text, "_OTHER ");
	if (other)
		*other = '\0';
	found = strstr(log, text);
	if (found)
		found[0] = '#';
	return found;
}

/* What a log says before `at` was all in `clean`, but for what is partial. Returns how many of it were whole. */
static size_t check_is_true(const char *talk, const char *log, size_t at, const char *clean)
{
	static char left[SCRIPT_LOG_MAX];
	size_t length = 0, whole = 0;

	strcpy(left, clean);
	for (const char *next = next_request(log, &length); next && next < log + at;
	     next = next_request(next + length, &length)) {
		if (is_partial(next, length))
			continue;
		whole++;
		if (!is_unnamed(next, length) && !take_out(left, next, length)) {
			print_error("%s: never was: %.*s\n in %s\n", talk, (int)length, next, log);
			fail();
		}
	}
	return whole;
}

static void check_lost(const char *talk, enum conn_role role, const struct loss *loss,
		       const char *clean, size_t clean_at)
{
	static struct script script;
	size_t at, whole;

	begin(&script, role);
	at = say_again(&script, loss);
	whole = check_is_true(talk, script.log, at, clean);
	if (whole < check_is_true(talk, clean, clean_at, clean) && !strstr(script.log, "lost;")) {
		print_error("%s, %d events of %zu bytes lost from %d on: not counted: %s\n", talk,
			    loss->count, loss->size, loss->first, script.log);
		fail();
	}
	if (strcmp(script.log + at, clean + clean_at) != 0) {
		print_error("%s, %d events of %zu bytes lost from %d on:\n got      %s\n"
			    " expected %s\n all %s\n",
			    talk, loss->count, loss->size, loss->first, script.log + at,
			    clean + clean_at, script.log);
		fail();
	}
	script_close(&script);
}

/* How many events the part of the talk has in which some are lost. */
static int count_events(size_t size)
{
	int count = 0;

	for (size_t i = login; i < last; i++)
		count += (int)(size ? (sayings[i].length + size - 1) / size : 1);
	return count;
}

static void check_each_lost(const char *talk, enum conn_role role, size_t size, int count)
{
	struct loss loss = { .size = size, .count = count };
	static char clean[SCRIPT_LOG_MAX];
	static struct script script;
	size_t at;

	begin(&script, role);
	at = say_again(&script, &loss);
	strcpy(clean, script.log);
	script_close(&script);
	for (loss.first = 1; loss.first <= count_events(size); loss.first++)
		check_lost(talk, role, &loss, clean, at);
}

static void survive_the_loss_of_any_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		load(talks[i]);
		for (int count = 1; count <= 4; count++) {
			for (size_t size = 0; size <= 40; size += 20) {
				check_each_lost(talks[i], ROLE_SERVER, size, count);
				check_each_lost(talks[i], ROLE_CLIENT, size, count);
			}
		}
		unload();
	}
}

/* A client's connection may be one of which nobody says whose it is.
 *
 * The end of what is numbered `from`, of which `half` is left out, and all that follows, and all once more. Returns where
 * in the log that begins. */
static size_t join(struct script *script, enum conn_role role, size_t from, bool is_half)
{
	size_t skipped = is_half ? sayings[from].length / 2 : 0;
	char *bytes = sayings[from].bytes;
	size_t at;

	begin(script, role);
	script->conn.flags = CONN_PREEXISTING;
	sayings[from].bytes += skipped;
	sayings[from].length -= skipped;
	say(script, from, last, 0, 0);
	sayings[from].length += skipped;
	sayings[from].bytes = bytes;
	say(script, login, login + GRACE, 0, 0);
	at = script->log_bytes;
	say(script, login, last, 0, 0);
	hang_up(script);
	return at;
}

static void check_joined(const char *talk, enum conn_role role, const char *clean, size_t clean_at)
{
	static struct script script;

	for (size_t i = 2 * login; i < 2 * last; i++) {
		size_t at = join(&script, role, i / 2, i % 2);

		(void)check_is_true(talk, script.log, at, clean);
		if (strcmp(script.log + at, clean + clean_at) != 0) {
			print_error("%s, joined at %zu half %zu:\n got      %s\n expected %s\n"
				    " all %s\n",
				    talk, i / 2, i % 2, script.log + at, clean + clean_at,
				    script.log);
			fail();
		}
		script_close(&script);
	}
}

static void are_exact_soon_after_joining_anywhere(void **state)
{
	static char clean[SCRIPT_LOG_MAX];
	static struct script script;

	(void)state;
	for (size_t i = 0; i < TALKS; i++) {
		for (enum conn_role role = ROLE_UNKNOWN; role <= ROLE_SERVER; role++) {
			const struct loss none = { 0 };
			size_t at;

			load(talks[i]);
			begin(&script, role ? role : ROLE_CLIENT);
			at = say_again(&script, &none);
			strcpy(clean, script.log);
			script_close(&script);
			check_joined(talks[i], role, clean, at);
			unload();
		}
	}
}

/* Where a stream talk is joined, or has a hole, what is reported is true; returns how much of it. */
static size_t check_stream_talk(const char *talk, struct script *script, const char *clean)
{
	size_t whole;

	hang_up(script);
	script_tick(script, 1000);
	whole = check_is_true(talk, script->log, script->log_bytes, clean);
	script_close(script);
	return whole;
}

static void check_streams(const char *talk, enum conn_role role)
{
	static char clean[SCRIPT_LOG_MAX];
	static struct script script;
	size_t all, some = 0;

	begin(&script, role);
	say(&script, 0, saying_count, 0, 0);
	strcpy(clean, script.log);
	all = check_stream_talk(talk, &script, clean);
	for (size_t from = 0; from < saying_count; from++) {
		for (size_t skipped = 0; skipped < sayings[from].length; skipped++) {
			begin(&script, role);
			script.conn.flags = CONN_PREEXISTING;
			sayings[from].bytes += skipped;
			sayings[from].length -= skipped;
			say(&script, from, saying_count, 0, 0);
			sayings[from].length += skipped;
			sayings[from].bytes -= skipped;
			some += check_stream_talk(talk, &script, clean);
		}
	}
	assert_true(all && some);
	for (size_t size = 0; size <= 40; size += 20) {
		for (int lost = 1; lost <= count_events(size); lost++) {
			begin(&script, role);
			script.drop_event = lost;
			say(&script, 0, saying_count, 0, size);
			(void)check_stream_talk(talk, &script, clean);
		}
	}
}

static void streams_are_true_wherever_joined_or_lost(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAM_TALKS; i++) {
		load(stream_talks[i]);
		check_streams(stream_talks[i], ROLE_SERVER);
		check_streams(stream_talks[i], ROLE_CLIENT);
		unload();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(are_the_same_however_cut),
		cmocka_unit_test(survive_the_loss_of_any_event),
		cmocka_unit_test(are_exact_soon_after_joining_anywhere),
		cmocka_unit_test(streams_are_true_wherever_joined_or_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
