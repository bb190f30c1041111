/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deliver/key_value_list.h"
#include "deliver/otlp_settings.h"

/* Every span says these for itself. */
static bool is_of_process(const char *key)
{
	return strcmp(key, "service.name") == 0 || strncmp(key, "process.", 8) == 0;
}

static bool has_key(const struct resource_settings *settings, const char *key)
{
	for (size_t i = 0; i < settings->count; i++)
		if (strcmp(settings->attributes[i].key, key) == 0)
			return true;
	return false;
}

/* Half of the room is for what a process says itself. */
static void add(struct resource_settings *settings, const char *key, const char *value)
{
	if (settings->count < SPAN_RESOURCE_MAX / 2 && !has_key(settings, key))
		settings->attributes[settings->count++] = (struct span_attribute){ key, value, 0 };
}

int resource_settings_read(const char *listed, const char *host_name,
			   struct resource_settings *ret_settings)
{
	size_t listed_bytes = listed ? strlen(listed) + 1 : 0;
	size_t host_bytes = strlen(host_name) + 1;
	char *list = NULL, *key, *value;
	int status;

	*ret_settings = (struct resource_settings){ .text = malloc(listed_bytes + host_bytes) };
	if (!ret_settings->text)
		return -ENOMEM;
	memcpy(ret_settings->text, host_name, host_bytes);
	if (listed) {
		list = ret_settings->text + host_bytes;
		memcpy(list, listed, listed_bytes);
	}
	while ((status = key_value_next(&list, &key, &value)) > 0) {
		span_text_clean(key);
		span_text_clean(value);
		if (!is_of_process(key))
			add(ret_settings, key, value);
	}
	add(ret_settings, "host.name", ret_settings->text);
	if (status)
		resource_settings_done(ret_settings);
	return status;
}

void resource_settings_done(struct resource_settings *settings)
{
	free(settings->text);
	*settings = (struct resource_settings){ 0 };
}
