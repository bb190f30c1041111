/* SPDX-License-Identifier: Apache-2.0 */
/* What MariaDB 10.11.19 and its clients said, as it went over the wire. */
#ifndef SONDE_TESTS_MYSQL_TALKS_H
#define SONDE_TESTS_MYSQL_TALKS_H

#include "pairing.h"

enum {
	MYSQL_PYMYSQL,
	MYSQL_CLI,
	MYSQL_REFUSED,
	MYSQL_COMPRESSED,
	MYSQL_PREPARED,
	MYSQL_COUNT,
};

extern const struct said *const mysql_talks[];

#endif
