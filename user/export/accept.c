/* SPDX-License-Identifier: Apache-2.0 */
/* One reader for both headers: elements separated by commas, parameters by semicolons. */
#include "export/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

struct text {
	const char *at;
	size_t length;
};

/* An element: `name;parameter=value;q=0.5`. */
struct element {
	struct text name;
	struct text parameters; /* as they came, `q` among them */
	int quality;		/* thousandths; -1: malformed */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct text text_trim(struct text text)
{
	while (text.length && is_space(text.at[0])) {
		text.at++;
		text.length--;
	}
	while (text.length && is_space(text.at[text.length - 1]))
		text.length--;
	return text;
}

static bool text_is(struct text text, const char *wanted)
{
	return text.length == strlen(wanted) && strncasecmp(text.at, wanted, text.length) == 0;
}

/* Cut up to a separator that is not inside quotes; the separator is taken away too. */
static struct text text_cut(struct text *rest, char separator)
{
	struct text part = { rest->at, 0 };
	bool is_quoted = false;

	while (part.length < rest->length && (is_quoted || part.at[part.length] != separator)) {
		if (part.at[part.length] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && part.at[part.length] == '\\' &&
			 part.length + 1 < rest->length)
			part.length++;
		part.length++;
	}
	rest->at += part.length;
	rest->length -= part.length;
	if (rest->length) {
		rest->at++;
		rest->length--;
	}
	return text_trim(part);
}

/* weight: 0, 0.1 … 0.999, 1, 1.000 */
static int quality_parse(struct text text)
{
	int quality, place = 100;

	if (!text.length || text.length > 5 || (text.at[0] != '0' && text.at[0] != '1'))
		return -1;
	quality = (text.at[0] - '0') * ACCEPT_QUALITY_MAX;
	if (text.length > 1 && text.at[1] != '.')
		return -1;
	for (size_t i = 2; i < text.length; i++, place /= 10) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return -1;
		quality += (text.at[i] - '0') * place;
	}
	return quality <= ACCEPT_QUALITY_MAX ? quality : -1;
}

/* The next parameter; false when there is none left. */
static bool parameter_next(struct text *rest, struct text *ret_name, struct text *ret_value)
{
	struct text parameter, value;

	if (!rest->length)
		return false;
	parameter = text_cut(rest, ';');
	*ret_name = text_cut(&parameter, '=');
	value = text_trim(parameter);
	if (value.length >= 2 && value.at[0] == '"' && value.at[value.length - 1] == '"') {
		value.at++;
		value.length -= 2;
	}
	*ret_value = value;
	return true;
}

/* False at the end of the header. */
static bool element_next(struct text *rest, struct element *ret_element)
{
	struct text whole, name, value;

	if (!rest->length)
		return false;
	*ret_element = (struct element){ .quality = ACCEPT_QUALITY_MAX };
	whole = text_cut(rest, ',');
	ret_element->name = text_cut(&whole, ';');
	ret_element->parameters = whole;
	while (parameter_next(&whole, &name, &value))
		if (text_is(name, "q"))
			ret_element->quality = quality_parse(value);
	return true;
}

static bool is_range_of(struct text range, const char *type)
{
	const char *slash = strchr(type, '/');
	size_t main_length = slash ? (size_t)(slash - type) : 0;

	return range.length == main_length + 2 && memcmp(range.at + main_length, "/*", 2) == 0 &&
	       strncasecmp(range.at, type, main_length) == 0;
}

static bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && strncasecmp(a.at, b.at, a.length) == 0;
}

/* How many of the wanted parameters an element has; -1: one of them says something else. */
static int parameters_agree(struct text parameters, const char *wanted)
{
	struct text name, value, wanted_name, wanted_value;
	int agreed = 0;

	while (parameter_next(&parameters, &name, &value)) {
		struct text rest = { wanted, strlen(wanted) };

		while (parameter_next(&rest, &wanted_name, &wanted_value)) {
			if (!text_equal(name, wanted_name) || !value.length)
				continue;
			if (!text_equal(value, wanted_value))
				return -1;
			agreed++;
		}
	}
	return agreed;
}

/* How closely an element names the type; 0: not at all. */
static int specificity(const struct element *element, const char *type, const char *wanted)
{
	if (text_is(element->name, type)) {
		int agreed = parameters_agree(element->parameters, wanted);

		if (agreed < 0)
			return 0;
		return agreed ? 4 : 3;
	}
	if (is_range_of(element->name, type))
		return 2;
	return text_is(element->name, "*/*") ? 1 : 0;
}

int accept_quality(const char *accept, const char *type, const char *wanted)
{
	struct text rest = { accept, accept ? strlen(accept) : 0 };
	int quality = 0, closest = 0;
	struct element element;

	if (!text_trim(rest).length)
		return ACCEPT_QUALITY_MAX;
	while (element_next(&rest, &element)) {
		int close = specificity(&element, type, wanted);

		if (element.quality < 0 || close < closest || !close)
			continue;
		if (close > closest || element.quality > quality)
			quality = element.quality;
		closest = close;
	}
	return quality;
}

bool accept_gzip(const char *accept_encoding)
{
	struct text rest = { accept_encoding, accept_encoding ? strlen(accept_encoding) : 0 };
	int gzip = -1, any = -1, identity = -1;
	struct element element;

	while (element_next(&rest, &element)) {
		if (element.quality < 0)
			continue;
		if (text_is(element.name, "gzip") || text_is(element.name, "x-gzip"))
			gzip = element.quality;
		else if (text_is(element.name, "identity"))
			identity = element.quality;
		else if (text_is(element.name, "*"))
			any = element.quality;
	}
	if (gzip < 0)
		gzip = any;
	return gzip > 0 && gzip >= identity;
}
