/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of metric_table.inc as an array, and the classic buckets. */
#include "aggregate/metric_table.h"

#include <string.h>

#include "aggregate/octave.h"

#define US 1000ull
#define MS (1000 * US)
#define SEC (1000 * MS)
#define KIB 1024ull
#define MIB (1024 * KIB)

const struct metric_row metric_table[METRIC_COUNT] = {
#define METRIC(ID, name_, type_, unit_, buckets_, help_, ...) \
	[METRIC_##ID] = {                                     \
		.name = name_,                                \
		.type = METRIC_##type_,                       \
		.unit = UNIT_##unit_,                         \
		.buckets = BUCKETS_##buckets_,                \
		.help = help_,                                \
		.labels = { __VA_ARGS__ },                    \
	},
#include "aggregate/metric_table.inc"
#undef METRIC
};

/* The conventions' bounds (OpenTelemetry semantic conventions, http.server.request.duration: 5 ms
 * to 10 s) continued downwards: seen from the kernel, requests over loopback take tens of
 * microseconds. */
static const uint64_t request_bounds[] = {
	100 * US, 250 * US,  500 * US, 1 * MS,	  2500 * US, 5 * MS,   10 * MS,
	25 * MS,  50 * MS,   75 * MS,  100 * MS,  250 * MS,  500 * MS, 750 * MS,
	1 * SEC,  2500 * MS, 5 * SEC,  7500 * MS, 10 * SEC,
};

/* Up to Linux's own patience: with tcp_syn_retries = 6, the default, a connect is given up after
 * 127 s (Documentation/networking/ip-sysctl.rst). */
static const uint64_t connect_bounds[] = {
	10 * US,   25 * US, 50 * US,  100 * US, 250 * US, 500 * US,  1 * MS,   2500 * US,
	5 * MS,	   10 * MS, 25 * MS,  50 * MS,	100 * MS, 250 * MS,  500 * MS, 1 * SEC,
	2500 * MS, 5 * SEC, 10 * SEC, 30 * SEC, 60 * SEC, 130 * SEC,
};

static const uint64_t rtt_bounds[] = {
	10 * US, 25 * US, 50 * US, 100 * US, 250 * US, 500 * US, 1 * MS,  2500 * US, 5 * MS,
	10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * SEC, 2500 * MS,
};

static const uint64_t size_bounds[] = {
	0,	   64,	    256,     1 * KIB,  4 * KIB,	 16 * KIB,  64 * KIB,
	256 * KIB, 1 * MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB,
};

static const uint64_t session_bounds[] = {
	10 * MS,   100 * MS,  1 * SEC,	  5 * SEC,     15 * SEC,    60 * SEC,
	300 * SEC, 900 * SEC, 3600 * SEC, 14400 * SEC, 43200 * SEC, 86400 * SEC,
};

/* What the conventions advise for db.client.response.returned_rows. */
static const uint64_t rows_bounds[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000,
};

#define LAYOUT(array, divide_by, octave_of)                                           \
	{                                                                             \
		.bounds = (array), .bound_count = sizeof(array) / sizeof((array)[0]), \
		.divisor = (divide_by), .octave = &(octave_of),                       \
	}

const struct bucket_layout bucket_layouts[BUCKETS_COUNT] = {
	[BUCKETS_NONE] = { .divisor = 1 },
	[BUCKETS_REQUEST] = LAYOUT(request_bounds, 1e9, octave_of_billions),
	[BUCKETS_CONNECT] = LAYOUT(connect_bounds, 1e9, octave_of_billions),
	[BUCKETS_RTT] = LAYOUT(rtt_bounds, 1e9, octave_of_billions),
	[BUCKETS_SESSION] = LAYOUT(session_bounds, 1e9, octave_of_billions),
	[BUCKETS_SIZE] = LAYOUT(size_bounds, 1, octave_of_ones),
	[BUCKETS_ROWS] = LAYOUT(rows_bounds, 1, octave_of_ones),
};

size_t metric_label_count(enum metric metric)
{
	size_t count = 0;

	while (metric_table[metric].labels[count])
		count++;
	return count;
}

bool metric_has_service(enum metric metric)
{
	const char *first = metric_table[metric].labels[0];

	return first && strcmp(first, "service_name") == 0;
}

const char *metric_type_name(enum metric_type type)
{
	static const char *const names[METRIC_TYPE_COUNT] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_INFO] = "info",
		[METRIC_HISTOGRAM] = "histogram",
	};

	return names[type];
}

const char *metric_unit_name(enum metric_unit unit)
{
	static const char *const names[UNIT_COUNT] = {
		[UNIT_NONE] = "",
		[UNIT_SECONDS] = "seconds",
		[UNIT_BYTES] = "bytes",
	};

	return names[unit];
}
