/* SPDX-License-Identifier: Apache-2.0 */
/* Commands of MongoDB by name, and error codes. */
#ifndef SONDE_PROTOCOL_MONGODB_WORDS_H
#define SONDE_PROTOCOL_MONGODB_WORDS_H

#include <stdint.h>

/* Static; "other" when neither MongoDB nor FerretDB has such a command. Case matters, but for hello's old name. */
const char *mongodb_command_name(const char *name);

#define MONGODB_CODE_BYTES 8

/* Write an error's code as it is shown: "_OTHER" when MongoDB has none such. */
void mongodb_code_text(int64_t code, char out[MONGODB_CODE_BYTES]);

#endif
