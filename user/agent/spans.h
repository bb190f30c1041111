/* SPDX-License-Identifier: Apache-2.0 */
/* Finished requests go to the observer, and as spans to the exporters. For the files of this room. */
#ifndef SONDE_AGENT_SPANS_H
#define SONDE_AGENT_SPANS_H

#include "agent/agent.h"
#include "correlate/observation.h"
#include "deliver/delivery.h"
#include "sample/sampler.h"

struct spans;

/* Start the exporters that the options and the environment name; NULL when they name none. Logs what is wrong with them.
 * Returns 0 or negative errno */
int spans_start(const struct span_options *options, struct spans **ret_spans);

/* Deliver what waits, for a bounded time, and end. */
void spans_free(struct spans **spans);

/* A sink that hands everything on to the observer's (borrowed). Lives as long as the spans. */
void spans_set_observer(struct spans *spans, const struct observation_sink *observer);
const struct observation_sink *spans_sink(const struct spans *spans);

/* The clock that tells the times of spans. */
const struct wall_clock *spans_clock(const struct spans *spans);

/* For struct engine_feedback. */
void spans_random(struct spans *spans, uint8_t *ret_bytes, size_t count);

uint64_t spans_produced(const struct spans *spans);
/* Of them, those that tell of a part of a request. */
uint64_t spans_parts(const struct spans *spans, enum span_part part);
void spans_read_sampling(const struct spans *spans, struct sampler_figures *ret_figures);
/* Figures of the exporter with that number, from 0; false: there are no more. */
bool spans_read(struct spans *spans, size_t number, struct delivery_stats *ret_stats);

#endif
