/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a rule. What is taken is kept as it was given, and can be asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/selection_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const uint16_t port = 80;
	const struct selection_facts facts = { "/bin/a", "a", "/a", &port, 1, 1000000000, 0 };
	struct selection_rules *rules = selection_rules_new();
	char *text = calloc(length + 1, 1);
	char why[32] = "";

	if (!rules || !text)
		abort();
	memcpy(text, bytes, length);
	if (selection_rules_add(rules, SELECTION_ONLY, text, why, sizeof(why))) {
		if (!why[0] || !selection_rules_are_none(rules))
			abort();
	} else {
		if (strcmp(selection_rules_text(rules, SELECTION_ONLY, 0), text) != 0)
			abort();
		(void)selection_rules_want(rules, &facts);
	}
	free(text);
	selection_rules_free(&rules);
	return 0;
}
