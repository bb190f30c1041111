/* SPDX-License-Identifier: Apache-2.0 */
/* Batches posted to an OTLP receiver over HTTP, whatever is in them. */
#ifndef SONDE_DELIVER_OTLP_CLIENT_H
#define SONDE_DELIVER_OTLP_CLIENT_H

#include "deliver/delivery.h"
#include "deliver/otlp_settings.h"

struct otlp_client;

/* settings  taken over when this succeeds
 * Returns   0; -EINVAL when libcurl refuses a setting; -ENOMEM */
int otlp_client_new(struct otlp_settings *settings, struct otlp_client **ret_client);
void otlp_client_free(struct otlp_client **client);

/* Compress a body, if that is wanted and there is memory for it. */
void otlp_client_pack(const struct otlp_client *client, struct text_buffer *body);

/* Try once. What goes wrong is logged, at most once a minute.
 * Threads  one at a time */
void otlp_client_send(struct otlp_client *client, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome);

#endif
