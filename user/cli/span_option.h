/* SPDX-License-Identifier: Apache-2.0 */
/* Where spans go. Input of the parser: struct span_options. */
#ifndef SONDE_CLI_SPAN_OPTION_H
#define SONDE_CLI_SPAN_OPTION_H

#include <argp.h>

#define SPAN_QUEUE_DEFAULT 32768
#define SPAN_SPOOL_BYTES_DEFAULT (256ull << 20)

extern const struct argp_child span_option[];

#endif
