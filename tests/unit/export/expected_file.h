/* SPDX-License-Identifier: Apache-2.0 */
/* Text compared with a file of the repository. */
#ifndef SONDE_TESTS_EXPECTED_FILE_H
#define SONDE_TESTS_EXPECTED_FILE_H

#include <stddef.h>

/* Fail unless the file holds exactly these bytes; with SONDE_UPDATE in the environment, write it
 * instead.
 * path: from the top of the repository */
void assert_file_equal(const char *path, const char *bytes, size_t length);

#endif
