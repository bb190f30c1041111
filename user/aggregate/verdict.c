/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregate/verdict.h"

#define RETRANSMITS_TOLD_APART 15 /* TCP_RETR2: then the kernel gives up */

uint64_t verdict_total_ns(const struct request *request)
{
	uint64_t total_ns =
		request->end_ns > request->start_ns ? request->end_ns - request->start_ns : 0;

	for (size_t i = TIME_PARTS_WITHIN; i < TIME_PART_COUNT; i++)
		total_ns += request->usage.part_ns[i];
	return total_ns;
}

static bool is_slow(const struct histogram *usual, uint64_t total_ns)
{
	if (!usual || usual->count < SLOW_LEARNED)
		return total_ns >= SLOW_UNLEARNED_NS;
	return histogram_is_above(usual, total_ns, 990) &&
	       histogram_is_above(usual, total_ns - SLOW_MARGIN_NS, 500);
}

/* How much of a request's wait for the other end can have gone by until segments were sent again: a time-out each, twice as long
 * as the one before. Of a call all that its thread did not do itself is such a wait; of neither what the other end's window held back:
 * into a full one the kernel sends again and again. */
static uint64_t lost_to_retransmits(const struct request *request)
{
	const uint64_t *part_ns = request->usage.part_ns;
	unsigned times = request->has_tcp ? request->tcp.retransmits : 0;
	uint64_t waited_ns = part_ns[TIME_SEND];
	uint64_t most_ns;

	if (request->role == ROLE_CLIENT)
		waited_ns += part_ns[TIME_NETWORK] + part_ns[TIME_UNACCOUNTED];
	waited_ns -=
		waited_ns < request->tcp.rwnd_limited_ns ? waited_ns : request->tcp.rwnd_limited_ns;
	if (times > RETRANSMITS_TOLD_APART)
		times = RETRANSMITS_TOLD_APART;
	most_ns = ((1ull << times) - 1) * (RETRANSMIT_NS + 2 * request->tcp.rtt_ns);
	return waited_ns < most_ns ? waited_ns : most_ns;
}

bool verdict_read(const struct request *request, const struct histogram *usual, uint64_t total_ns,
		  struct verdict *ret_verdict)
{
	const uint64_t *part_ns = request->usage.part_ns;
	uint64_t lost_ns;
	size_t most = 0;

	if (!is_slow(usual, total_ns))
		return false;
	lost_ns = lost_to_retransmits(request);
	if (lost_ns >= total_ns - lost_ns) {
		*ret_verdict = (struct verdict){ .is_slow = true,
						 .cause = "retransmits",
						 .share = (double)lost_ns / (double)total_ns };
		return true;
	}
	for (size_t i = 1; i < TIME_PART_COUNT; i++)
		if (part_ns[i] > part_ns[most])
			most = i;
	*ret_verdict = (struct verdict){ .is_slow = true };
	if (part_ns[most] < total_ns - part_ns[most])
		return true;
	ret_verdict->is_unaccounted = most == TIME_UNACCOUNTED;
	ret_verdict->cause = ret_verdict->is_unaccounted ? NULL : time_part_name(most);
	ret_verdict->share = (double)part_ns[most] / (double)total_ns;
	return true;
}

const char *verdict_label(const struct verdict *verdict)
{
	if (verdict->cause)
		return verdict->cause;
	return verdict->is_unaccounted ? time_part_name(TIME_UNACCOUNTED) : "mixed";
}
