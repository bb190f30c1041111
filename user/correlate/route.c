/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of paths, segment by segment. The table that bounds them is route_table.c. */
#include "correlate/route.h"

#include <stdbool.h>
#include <string.h>

#include "protocol/protocol.h"

#define SEGMENTS_MAX 8
/* Longer words are nobody's route. 8 of them and "/…" fit ROUTE_MAX. */
#define WORD_MAX 28
#define TOKEN_MIN 20
#define HASH_MIN 8

/* A piece of a path, decoded. */
struct word {
	char text[WORD_MAX + 1];
	size_t length; /* of the original, decoded: may be more than was kept */
	size_t digits, hex_letters, uppers, lowers,
		others; /* other: none of these letters and digits */
	bool is_unprintable;
};

struct route_writer {
	char *text;
	size_t length;
};

static void put(struct route_writer *writer, const char *text, size_t length)
{
	if (length >= ROUTE_MAX - writer->length)
		length = ROUTE_MAX - 1 - writer->length;
	memcpy(writer->text + writer->length, text, length);
	writer->length += length;
	writer->text[writer->length] = '\0';
}

static void put_string(struct route_writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_fit_for_label(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '{' && c != '}' && c != '"' && c != '\\' && c != '<' &&
	       c != '>' && c != '/' && c != '%';
}

static void word_add(struct word *word, unsigned char c)
{
	if (c >= '0' && c <= '9')
		word->digits++;
	else if (c >= 'a' && c <= 'z')
		word->lowers++;
	else if (c >= 'A' && c <= 'Z')
		word->uppers++;
	else
		word->others++;
	if (((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
		word->hex_letters++;
	if (!is_fit_for_label(c))
		word->is_unprintable = true;
	if (word->length < WORD_MAX)
		word->text[word->length] = (char)c;
	word->length++;
}

static void word_read(struct word *word, const char *from, const char *end)
{
	*word = (struct word){ 0 };
	while (from < end) {
		unsigned char c = (unsigned char)*from;

		if (c == '%' && end - from >= 3 && hex_value(from[1]) >= 0 &&
		    hex_value(from[2]) >= 0) {
			c = (unsigned char)(hex_value(from[1]) * 16 + hex_value(from[2]));
			from += 2;
		}
		word_add(word, c);
		from++;
	}
}

static size_t letters(const struct word *word)
{
	return word->lowers + word->uppers;
}

/* The first characters follow a pattern: 0 a digit, x a hexadecimal digit, others themselves. */
static bool matches(const struct word *word, const char *pattern)
{
	size_t at = 0;

	for (; pattern[at]; at++) {
		char c = at < WORD_MAX ? word->text[at] : '\0';
		bool is_digit = c >= '0' && c <= '9';

		if (pattern[at] == '0' ? !is_digit :
		    pattern[at] == 'x' ? hex_value(c) < 0 :
					 c != pattern[at])
			return false;
	}
	return true;
}

static bool is_number(const struct word *word)
{
	return word->digits && (word->digits == word->length ||
				(word->digits == word->length - 1 && word->text[0] == '-'));
}

/* Only the beginning of a UUID is kept, but its counts are of the whole. */
static bool is_uuid(const struct word *word)
{
	return word->length == 36 && word->others == 4 && letters(word) == word->hex_letters &&
	       matches(word, "xxxxxxxx-xxxx-xxxx-xxxx-xxxx");
}

static bool is_date(const struct word *word)
{
	return word->length >= 10 && matches(word, "0000-00-00") &&
	       (word->length == 10 || word->text[10] == 'T' || word->text[10] == ' ' ||
		word->text[10] == '_');
}

static bool is_hash(const struct word *word)
{
	return word->length >= HASH_MIN && word->digits &&
	       word->digits + word->hex_letters == word->length;
}

static bool is_email(const struct word *word)
{
	size_t kept = word->length < WORD_MAX ? word->length : WORD_MAX;
	const char *at = memchr(word->text, '@', kept);

	return at && at > word->text && (word->length > WORD_MAX || strchr(at, '.'));
}

/* camelCase method names are long words too: they have no digits. */
static bool is_token(const struct word *word)
{
	return word->length > WORD_MAX || (word->length >= TOKEN_MIN && word->digits &&
					   letters(word) && word->digits * 8 >= word->length);
}

static const struct {
	bool (*is)(const struct word *word);
	const char *placeholder;
} shapes[] = {
	{ is_number, "{id}" }, { is_uuid, "{uuid}" },	{ is_date, "{date}" },
	{ is_hash, "{hash}" }, { is_email, "{email}" }, { is_token, "{token}" },
};

static const char *placeholder_of(const struct word *word)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].is(word))
			return shapes[i].placeholder;
	return word->is_unprintable ? "{text}" : NULL;
}

/* "main.8f3a2b1c.js", "12345.jpg": the pieces between dots, of which only these two kinds are replaced. */
static void put_file_name(struct route_writer *writer, const struct word *name)
{
	const char *piece = name->text, *end = name->text + name->length;
	const char *dot = memchr(piece, '.', name->length);
	bool is_simple = dot && dot > piece && !memchr(dot + 1, '.', (size_t)(end - dot - 1));

	while (true) {
		struct word word;

		word_read(&word, piece, dot ? dot : end);
		if (is_simple && piece == name->text && is_number(&word))
			put_string(writer, "{id}");
		else if (is_hash(&word))
			put_string(writer, "{hash}");
		else
			put(writer, word.text, word.length);
		if (!dot)
			return;
		put(writer, ".", 1);
		piece = dot + 1;
		dot = memchr(piece, '.', (size_t)(end - piece));
	}
}

static void put_segment(struct route_writer *writer, const char *from, const char *end)
{
	const char *parameters = memchr(from, ';', (size_t)(end - from)), *placeholder;
	struct word word;

	word_read(&word, from, parameters && parameters > from ? parameters : end);
	placeholder = placeholder_of(&word);
	put(writer, "/", 1);
	if (placeholder)
		put_string(writer, placeholder);
	else
		put_file_name(writer, &word);
}

void route_template(const char *path, char ret_route[ROUTE_MAX])
{
	struct route_writer writer = { .text = ret_route };
	const char *end = path + strlen(path), *segment = path;
	bool is_cut = end - path >= URL_PATH_MAX;
	size_t segments = 0;

	ret_route[0] = '\0';
	if (*path != '/') {
		put_string(&writer, strcmp(path, "*") == 0 ? "*" : "");
		return;
	}
	while (segment < end) {
		const char *from = segment + strspn(segment, "/"),
			   *next = from + strcspn(from, "/");

		if (from == end) { /* a slash at the end */
			put(&writer, "/", 1);
			return;
		}
		if (segments++ == SEGMENTS_MAX || (is_cut && next == end)) {
			put_string(&writer, "/…");
			return;
		}
		put_segment(&writer, from, next);
		segment = next;
	}
}
