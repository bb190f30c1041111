/* SPDX-License-Identifier: Apache-2.0 */
#include "deliver/otlp_post.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "deliver/otlp_client.h"
#include "export/otlp.h"

struct otlp_post {
	struct otlp_client *client;	      /* owned; of send, but for packing */
	const struct span_resource *resource; /* borrowed */
	const struct wall_clock *clock;	      /* borrowed */
	struct arena arena;		      /* of encode, as the two above */
};

static void post_close(void *context)
{
	struct otlp_post *post = context;

	otlp_client_free(&post->client);
	arena_done(&post->arena);
	free(post);
}

int otlp_post_new(struct otlp_settings *settings, const struct span_resource *resource,
		  const struct wall_clock *clock, struct otlp_post **ret_post)
{
	struct otlp_post *post = calloc(1, sizeof(*post));
	int error;

	if (!post)
		return -ENOMEM;
	post->resource = resource;
	post->clock = clock;
	error = otlp_client_new(settings, &post->client);
	if (error)
		post_close(post);
	else
		*ret_post = post;
	return error;
}

static int post_encode(void *context, struct span_record *const *records, size_t count,
		       struct text_buffer *ret_body)
{
	struct otlp_post *post = context;
	struct text_buffer body = { 0 };
	int error;

	arena_clear(&post->arena);
	error = otlp_encode(records, count, post->resource, post->clock, &post->arena, &body);
	if (error)
		return error;
	otlp_client_pack(post->client, &body);
	*ret_body = body;
	return 0;
}

static void post_send(void *context, const struct delivery_body *body,
		      struct delivery_outcome *ret_outcome)
{
	struct otlp_post *post = context;

	otlp_client_send(post->client, body, ret_outcome);
}

const struct delivery_route otlp_post_route = { "otlp", post_encode, post_send, post_close };
