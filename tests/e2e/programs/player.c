/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a recorded conversation over TCP, whole or in pieces, once a connection, and checks that every byte arrives:
 * `player serve|talk TALK HOST PORT SHAPE…`, where a shape is WRITES/READS/FROM/TO, for every number from FROM to TO one
 * connection; WRITES and READS are `whole`, `split` (in two pieces, the first as long as the number) or `size` (in pieces
 * of that many bytes). A shape `at-once/N/TIMES` is N connections that say everything in turns, and that so many times.
 * Both ends are given the same shapes. The client waits for a line on standard input. Prints how many connections it made.
 *
 * TALK is a file of lines: `> ` what the client says, `< ` what the server says, with \r, \n, \\ and \xHH; `<.`: the
 * server ends the connection. See tests/e2e/talks/record. */
#include <stdbool.h>
#include <sys/resource.h>

#include "endpoint.h"

#define SAYINGS_MAX 512
#define BYTES_MAX 65536 /* of one saying */
#define AT_ONCE_MAX 4096

struct saying {
	bool is_clients;
	bool is_end;
	size_t length;
	char *bytes;
};

struct talk {
	struct saying sayings[SAYINGS_MAX];
	size_t count;
};

enum cut { CUT_WHOLE, CUT_SPLIT, CUT_SIZE };

struct shape {
	enum cut writes;
	enum cut reads;
	unsigned long from;
	unsigned long to;
	unsigned at_once; /* connections */
};

__attribute__((noreturn)) static void refuse(const char *what, const char *which)
{
	fprintf(stderr, "player: %s: %s\n", what, which);
	exit(2);
}

static char unescape(const char **at)
{
	char digits[3] = { 0 };

	if (**at != '\\')
		return *(*at)++;
	*at += 2;
	switch ((*at)[-1]) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case '\\':
		return '\\';
	case 'x':
		memcpy(digits, *at, 2);
		*at += 2;
		return (char)strtoul(digits, NULL, 16);
	}
	refuse("no such escape", *at - 2);
}

static void take_line(struct talk *talk, const char *line)
{
	struct saying *saying = &talk->sayings[talk->count];
	const char *at = line + 2;

	if (line[0] != '>' && line[0] != '<')
		return;
	if (talk->count++ == SAYINGS_MAX)
		refuse("too many sayings", line);
	saying->is_clients = line[0] == '>';
	saying->is_end = line[1] == '.';
	saying->bytes = malloc(strlen(line));
	if (!saying->bytes)
		fail("malloc");
	while (!saying->is_end && *at && *at != '\n')
		saying->bytes[saying->length++] = unescape(&at);
	if (saying->length > BYTES_MAX)
		refuse("too long", line);
}

static void load(struct talk *talk, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file)
		fail(path);
	while (getline(&line, &room, file) > 0)
		take_line(talk, line);
	free(line);
	fclose(file);
}

static enum cut parse_cut(const char *word)
{
	if (strcmp(word, "whole") == 0)
		return CUT_WHOLE;
	if (strcmp(word, "split") == 0)
		return CUT_SPLIT;
	if (strcmp(word, "size") == 0)
		return CUT_SIZE;
	refuse("no such cut", word);
}

static struct shape parse_shape(const char *text)
{
	char writes[16], reads[16];
	struct shape shape = { .at_once = 1, .from = 1 };

	if (sscanf(text, "at-once/%u/%lu", &shape.at_once, &shape.to) == 2) {
		if (shape.at_once > AT_ONCE_MAX)
			refuse("too many at once", text);
		return shape;
	}
	if (sscanf(text, "%15[^/]/%15[^/]/%lu/%lu", writes, reads, &shape.from, &shape.to) != 4 ||
	    !shape.from)
		refuse("not a shape", text);
	shape.writes = parse_cut(writes);
	shape.reads = parse_cut(reads);
	return shape;
}

/* How long the piece may be that begins at `at`. */
static size_t piece(enum cut cut, unsigned long number, size_t at, size_t length)
{
	size_t left = length - at, most = left;

	if (cut == CUT_SIZE)
		most = number;
	else if (cut == CUT_SPLIT && at < number)
		most = number - at;
	return most < left ? most : left;
}

static void say(int fd, const struct saying *saying, enum cut cut, unsigned long number)
{
	size_t at = 0;

	while (at < saying->length) {
		size_t wanted = piece(cut, number, at, saying->length);
		ssize_t sent = write(fd, saying->bytes + at, wanted);

		if (sent <= 0)
			fail("write");
		at += (size_t)sent;
	}
}

static void hear(int fd, const struct saying *saying, enum cut cut, unsigned long number)
{
	static char heard[BYTES_MAX];
	size_t at = 0;

	while (at < saying->length) {
		ssize_t got = read(fd, heard + at, piece(cut, number, at, saying->length));

		if (got <= 0)
			fail("read");
		at += (size_t)got;
	}
	if (memcmp(heard, saying->bytes, saying->length) != 0)
		refuse("heard something else", saying->bytes);
}

static void hear_end(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 0)
		refuse("the other end goes on", "after the last line");
}

static int next_connection(int listener, const struct endpoint *to)
{
	int one = 1;
	int fd;

	if (listener < 0)
		return endpoint_connect(to);
	fd = accept(listener, NULL, NULL);
	if (fd < 0)
		fail("accept");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only speed */
	return fd;
}

/* The client closes unless the server does. */
static void play(int *fds, const struct talk *talk, bool is_client, const struct shape *shape,
		 unsigned long number)
{
	bool ends = is_client;

	for (size_t i = 0; i < talk->count; i++) {
		const struct saying *saying = &talk->sayings[i];

		if (saying->is_end)
			ends = saying->is_clients == is_client;
		for (unsigned j = 0; j < shape->at_once && !saying->is_end; j++) {
			if (saying->is_clients == is_client)
				say(fds[j], saying, shape->writes, number);
			else
				hear(fds[j], saying, shape->reads, number);
		}
	}
	for (unsigned j = 0; j < shape->at_once; j++) {
		if (!ends)
			hear_end(fds[j]);
		close(fds[j]);
	}
}

static void allow_descriptors(void)
{
	struct rlimit limit = { AT_ONCE_MAX + 64, AT_ONCE_MAX + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		fail("RLIMIT_NOFILE");
}

int main(int argc, char **argv)
{
	static int fds[AT_ONCE_MAX];
	static struct talk talk;
	struct endpoint to;
	unsigned long played = 0;
	bool is_client;
	int listener;

	if (argc < 6)
		refuse("usage", "player serve|talk TALK HOST PORT SHAPE…");
	is_client = strcmp(argv[1], "talk") == 0;
	load(&talk, argv[2]);
	allow_descriptors();
	to = endpoint_parse(argv[3], argv[4]);
	if (is_client && getchar() == EOF)
		refuse("nobody says when to begin", argv[2]);
	listener = is_client ? -1 : endpoint_listen(argv[3], argv[4], 1024);
	for (int i = 5; i < argc; i++) {
		struct shape shape = parse_shape(argv[i]);

		for (unsigned long number = shape.from; number <= shape.to; number++) {
			for (unsigned j = 0; j < shape.at_once; j++)
				fds[j] = next_connection(listener, &to);
			play(fds, &talk, is_client, &shape, number);
			played += shape.at_once;
		}
	}
	printf("{\"played\": %lu}\n", played);
	return 0;
}
