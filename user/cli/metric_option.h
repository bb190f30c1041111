/* SPDX-License-Identifier: Apache-2.0 */
/* Where metrics go, for those who do not scrape. Input of the parser: struct metric_options. */
#ifndef SONDE_CLI_METRIC_OPTION_H
#define SONDE_CLI_METRIC_OPTION_H

#include <argp.h>

extern const struct argp_child metric_option[];

#endif
