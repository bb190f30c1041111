/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/key_value_list.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (isspace((unsigned char)*text))
		text++;
	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text;
}

/* In place. Returns 0 or -EINVAL. */
static int percent_decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		char digits[3] = { 0 };

		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		if (!isxdigit((unsigned char)text[1]) || !isxdigit((unsigned char)text[2]))
			return -EINVAL;
		memcpy(digits, text + 1, 2);
		*to++ = (char)strtoul(digits, NULL, 16);
		text += 2;
	}
	*to = '\0';
	return 0;
}

int key_value_next(char **list, char **ret_key, char **ret_value)
{
	char *item, *value;

	do {
		item = strsep(list, ",");
		if (!item)
			return 0;
		item = trim(item);
	} while (!*item);
	value = strchr(item, '=');
	if (!value || value == item)
		return -EINVAL;
	*value++ = '\0';
	*ret_key = trim(item);
	*ret_value = trim(value);
	return percent_decode(*ret_value) ? -EINVAL : 1;
}
