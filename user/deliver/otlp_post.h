/* SPDX-License-Identifier: Apache-2.0 */
/* Batches of spans, posted to an OTLP receiver over HTTP. */
#ifndef SONDE_DELIVER_OTLP_POST_H
#define SONDE_DELIVER_OTLP_POST_H

#include "base/wall_clock.h"
#include "deliver/delivery.h"
#include "deliver/otlp_settings.h"

extern const struct delivery_route otlp_post_route;

/* A context for the route.
 *
 * settings         taken over when this succeeds
 * resource, clock  borrowed; they must outlive it
 * Returns          0; -EINVAL when libcurl refuses a setting; -ENOMEM */
struct otlp_post;
int otlp_post_new(struct otlp_settings *settings, const struct span_resource *resource,
		  const struct wall_clock *clock, struct otlp_post **ret_post);

#endif
