/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table a family, made when its first series comes; one look-up an observation. */
#include "aggregate/series.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/histogram.h"
#include "aggregate/labels.h"
#include "base/table.h"

struct series {
	struct table_node node;
	uint64_t touched_ns;
	uint64_t began_ns;
	union {
		uint64_t total;
		double gauge;
		struct histogram *histogram; /* owned */
	};
	uint32_t owner; /* tgid; 0: none */
	uint16_t key_bytes;
	uint8_t metric; /* enum metric */
	char key[];	/* packed label values */
};

struct family {
	struct table table;	 /* without buckets until the first series comes */
	struct series *overflow; /* owned; NULL until the limit was hit */
	uint64_t round_total; /* what series_set_total added to the overflow series in this round */
	uint64_t refused_limit;
	uint64_t refused_memory;
	uint64_t expired;
	uint64_t unsent; /* of these, before their last values were taken */
};

struct series_store {
	size_t series_limit;
	uint64_t now_ns;
	uint64_t round_ended_ns; /* all that new series count came later */
	uint64_t sent_ns; /* what was touched then or later may not be sent yet; UINT64_MAX: nothing is */
	uint64_t generation; /* counts the drops: what was remembered before one may be gone */
	struct family families[METRIC_COUNT];
};

_Static_assert(LABELS_PACKED_MAX <= UINT16_MAX, "series.key_bytes");
_Static_assert(METRIC_COUNT <= UINT8_MAX, "series.metric");

struct series_key {
	const char *packed;
	size_t bytes;
	uint64_t hash;
};

static bool series_match(const struct table_node *node, const void *key)
{
	const struct series *series = table_entry(node, struct series, node);
	const struct series_key *wanted = key;

	return series->key_bytes == wanted->bytes &&
	       memcmp(series->key, wanted->packed, wanted->bytes) == 0;
}

static void series_free(struct series **series, enum metric metric)
{
	if (*series && metric_table[metric].type == METRIC_HISTOGRAM)
		histogram_free(&(*series)->histogram);
	free(*series);
	*series = NULL;
}

static struct series *series_new(enum metric metric, const struct series_key *key)
{
	struct series *series = calloc(1, sizeof(*series) + key->bytes);

	if (!series)
		return NULL;
	series->key_bytes = (uint16_t)key->bytes;
	series->metric = (uint8_t)metric;
	if (key->bytes)
		memcpy(series->key, key->packed, key->bytes);
	if (metric_table[metric].type != METRIC_HISTOGRAM)
		return series;
	series->histogram = histogram_new(&bucket_layouts[metric_table[metric].buckets]);
	if (!series->histogram)
		series_free(&series, metric);
	return series;
}

struct series_store *series_store_new(size_t series_limit)
{
	struct series_store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->series_limit = series_limit ? series_limit : 1;
	store->sent_ns = UINT64_MAX;
	return store;
}

static void family_done(struct family *family, enum metric metric)
{
	while (family->table.newest) {
		struct series *series = table_entry(family->table.newest, struct series, node);

		table_remove(&family->table, &series->node);
		series_free(&series, metric);
	}
	series_free(&family->overflow, metric);
	table_done(&family->table);
}

void series_store_free(struct series_store **store)
{
	if (*store)
		for (enum metric metric = 0; metric < METRIC_COUNT; metric++)
			family_done(&(*store)->families[metric], metric);
	free(*store);
	*store = NULL;
}

static size_t family_limit(const struct series_store *store, enum metric metric)
{
	if (metric_has_service(metric))
		return store->series_limit;
	return SERIES_LIMIT_AGENT;
}

static struct series *family_overflow(const struct series_store *store, struct family *family,
				      enum metric metric)
{
	const struct series_key none = { 0 };

	family->refused_limit++;
	if (!family->overflow) {
		family->overflow = series_new(metric, &none);
		if (family->overflow)
			family->overflow->began_ns = store->round_ended_ns;
	}
	return family->overflow;
}

/* A series for a key that has none yet: its own, or the overflow series. */
static struct series *family_insert(struct series_store *store, enum metric metric,
				    const struct series_key *key)
{
	struct family *family = &store->families[metric];
	struct series *series;

	if (!family->table.buckets &&
	    table_init(&family->table, family_limit(store, metric), series_match) < 0)
		return NULL;
	if (family->table.count >= family->table.limit)
		return family_overflow(store, family, metric);
	series = series_new(metric, key);
	if (!series)
		return NULL;
	series->began_ns = store->round_ended_ns;
	(void)table_insert(&family->table, &series->node,
			   key->hash); /* below its limit, seen above */
	return series;
}

static struct series *family_find(struct family *family, const struct series_key *key)
{
	struct table_node *node;

	if (!family->table.buckets)
		return NULL;
	node = table_find(&family->table, key->hash, key);
	return node ? table_entry(node, struct series, node) : NULL;
}

static void key_make(enum metric metric, const label_values values, char packed[LABELS_PACKED_MAX],
		     struct series_key *ret_key)
{
	ret_key->packed = packed;
	ret_key->bytes = labels_pack(values, metric_label_count(metric), packed);
	ret_key->hash = hash_bytes(packed, ret_key->bytes);
}

static int series_get(struct series_store *store, enum metric metric, const label_values values,
		      uint32_t owner, struct series **ret_series)
{
	struct family *family = &store->families[metric];
	char packed[LABELS_PACKED_MAX];
	struct series *series;
	struct series_key key;

	key_make(metric, values, packed, &key);
	series = family_find(family, &key);
	if (!series)
		series = family_insert(store, metric, &key);
	if (!series) {
		family->refused_memory++;
		return -ENOMEM;
	}
	series->touched_ns = store->now_ns;
	series->owner = owner;
	*ret_series = series;
	return 0;
}

int series_observe(struct series_store *store, enum metric metric, const label_values values,
		   uint32_t owner, uint64_t value)
{
	struct series *series;
	int err;

	assert(metric_table[metric].type == METRIC_HISTOGRAM);
	err = series_get(store, metric, values, owner, &series);
	if (err < 0)
		return err;
	histogram_observe(series->histogram, value);
	return series == store->families[metric].overflow ? -ENOSPC : 0;
}

int series_add(struct series_store *store, enum metric metric, const label_values values,
	       uint32_t owner, uint64_t delta)
{
	struct series *series;
	int err;

	assert(metric_table[metric].type == METRIC_COUNTER);
	err = series_get(store, metric, values, owner, &series);
	if (err < 0)
		return err;
	series->total += delta;
	return series == store->families[metric].overflow ? -ENOSPC : 0;
}

int series_remember(struct series_store *store, enum metric metric, const label_values values,
		    uint32_t owner, struct series_slot *ret_slot)
{
	struct family *family = &store->families[metric];
	struct series *series;
	int err = series_get(store, metric, values, owner, &series);

	*ret_slot = (struct series_slot){ 0 };
	if (err < 0) {
		family->refused_memory--; /* no update was refused: the caller's is still to come */
		return err;
	}
	if (series == family->overflow) {
		family->refused_limit--; /* the same */
		return -ENOSPC;
	}
	*ret_slot = (struct series_slot){ series, store->generation };
	return 0;
}

static bool slot_is_good(const struct series_store *store, const struct series_slot *slot)
{
	return slot->series && slot->generation == store->generation;
}

static inline void series_touch(struct series_store *store, struct series *series, uint64_t now_ns)
{
	if (series->touched_ns == now_ns)
		return;
	series->touched_ns = now_ns;
	table_touch(&store->families[series->metric].table, &series->node);
}

unsigned series_observe_slots(struct series_store *store, const struct series_slot *slots,
			      const uint64_t *values, size_t count)
{
	uint64_t now_ns = store->now_ns;
	unsigned missed = 0;

	for (size_t i = 0; i < count; i++) {
		struct series *series = slots[i].series;

		if (!slot_is_good(store, &slots[i])) {
			missed |= 1u << i;
			continue;
		}
		series_touch(store, series, now_ns);
		histogram_observe(series->histogram, values[i]);
	}
	return missed;
}

void series_exemplify_slot(struct series_store *store, const struct series_slot *slot,
			   const struct exemplar *exemplar)
{
	if (slot_is_good(store, slot))
		histogram_exemplify(slot->series->histogram, exemplar);
}

const struct histogram *series_slot_histogram(const struct series_store *store,
					      const struct series_slot *slot)
{
	return slot_is_good(store, slot) ? slot->series->histogram : NULL;
}

int series_add_slot(struct series_store *store, const struct series_slot *slot, uint64_t delta)
{
	if (!slot_is_good(store, slot))
		return -ENOENT;
	series_touch(store, slot->series, store->now_ns);
	slot->series->total += delta;
	return 0;
}

int series_set_total(struct series_store *store, enum metric metric, const label_values values,
		     uint32_t owner, uint64_t total)
{
	struct family *family = &store->families[metric];
	struct series *series;
	int err;

	assert(metric_table[metric].type == METRIC_COUNTER);
	err = series_get(store, metric, values, owner, &series);
	if (err < 0)
		return err;
	if (series != family->overflow) {
		/* A process that has the number, and the name, of an earlier one. */
		if (total < series->total)
			series->began_ns = store->round_ended_ns;
		series->total = total;
		return 0;
	}
	/* A process that leaves takes its total out of the sum. A counter that falls would read as
	 * one that began again at zero, and its whole sum as new: rather stand still. */
	family->round_total += total;
	if (series->total < family->round_total)
		series->total = family->round_total;
	return -ENOSPC;
}

int series_set(struct series_store *store, enum metric metric, const label_values values,
	       uint32_t owner, double value)
{
	struct family *family = &store->families[metric];
	struct series *series;
	int err;

	assert(metric_table[metric].type == METRIC_GAUGE ||
	       metric_table[metric].type == METRIC_INFO);
	err = series_get(store, metric, values, owner, &series);
	if (err < 0)
		return err;
	if (series != family->overflow) {
		series->gauge = value;
		return 0;
	}
	series->gauge += value;
	return -ENOSPC;
}

void series_begin_round(struct series_store *store)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		struct family *family = &store->families[metric];

		family->round_total = 0;
		if (family->overflow && metric_table[metric].type == METRIC_GAUGE)
			family->overflow->gauge = 0;
	}
}

void series_store_set_sent(struct series_store *store, uint64_t taken_ns)
{
	store->sent_ns = taken_ns;
}

void series_end_round(struct series_store *store)
{
	store->round_ended_ns = store->now_ns;
}

void series_remove(struct series_store *store, enum metric metric, const label_values values)
{
	struct family *family = &store->families[metric];
	char packed[LABELS_PACKED_MAX];
	struct series *series;
	struct series_key key;

	key_make(metric, values, packed, &key);
	series = family_find(family, &key);
	if (!series)
		return;
	table_remove(&family->table, &series->node);
	series_free(&series, metric);
	store->generation++;
}

void series_store_set_now(struct series_store *store, uint64_t now_ns)
{
	if (now_ns > store->now_ns)
		store->now_ns = now_ns;
}

static bool series_is_dead(const struct series *series, enum metric metric,
			   const struct series_liveness *liveness)
{
	if (series->owner)
		return liveness->owner_is_gone(liveness->context, series->owner);
	if (metric_has_service(metric)) /* its first label, so its key begins with the value */
		return liveness->service_is_gone(liveness->context, series->key);
	return false;
}

/* Found alive counts as touched, so that an idle series is asked about once per ttl, not at each
 * call: asking may be a walk over all processes. */
static void series_keep(struct family *family, struct series *series, uint64_t now_ns)
{
	uint64_t hash = series->node.hash;

	series->touched_ns = now_ns;
	table_remove(&family->table, &series->node);
	(void)table_insert(&family->table, &series->node, hash); /* there is room: it was inside */
}

static bool family_is_crowded(const struct series_store *store, enum metric metric)
{
	return store->families[metric].table.count > family_limit(store, metric) / 4 * 3;
}

/* Of gauges nothing is missed. */
static bool series_is_unsent(const struct series_store *store, const struct series *series,
			     enum metric metric)
{
	return series->touched_ns >= store->sent_ns &&
	       (metric_table[metric].type == METRIC_COUNTER ||
		metric_table[metric].type == METRIC_HISTOGRAM);
}

/* What is not sent yet goes only where room is needed. */
static void family_expire(struct series_store *store, enum metric metric, uint64_t now_ns,
			  uint64_t ttl_ns, bool is_crowded, const struct series_liveness *liveness)
{
	struct family *family = &store->families[metric];
	struct table_node *node = family->table.oldest, *newer;

	/* Those that are kept move to the new end: each is met once. */
	for (size_t left = family->table.count; left; left--, node = newer) {
		struct series *series = table_entry(node, struct series, node);
		bool is_unsent;

		newer = node->newer;
		if (series->touched_ns > now_ns - ttl_ns)
			break; /* the table is in the order of touching */
		is_unsent = series_is_unsent(store, series, metric);
		if ((is_unsent && !is_crowded) || !series_is_dead(series, metric, liveness)) {
			series_keep(family, series, now_ns);
			continue;
		}
		family->unsent += is_unsent;
		table_remove(&family->table, node);
		series_free(&series, metric);
		family->expired++;
	}
}

void series_store_expire(struct series_store *store, uint64_t now_ns, uint64_t ttl_ns,
			 uint64_t crowded_ttl_ns, const struct series_liveness *liveness)
{
	series_store_set_now(store, now_ns);
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		uint64_t before = store->families[metric].expired, kept_ns = ttl_ns;
		bool is_crowded = family_is_crowded(store, metric);

		if (crowded_ttl_ns < ttl_ns && is_crowded)
			kept_ns = crowded_ttl_ns;
		if (now_ns < kept_ns)
			continue;
		family_expire(store, metric, now_ns, kept_ns, is_crowded, liveness);
		store->generation += store->families[metric].expired != before;
	}
}

void series_family_read(const struct series_store *store, enum metric metric,
			struct series_family_view *ret_view)
{
	const struct family *family = &store->families[metric];

	*ret_view = (struct series_family_view){
		.count = family->table.count + (family->overflow ? 1 : 0),
		.limit = family_limit(store, metric),
		.refused_limit = family->refused_limit,
		.refused_memory = family->refused_memory,
		.expired = family->expired,
		.unsent = family->unsent,
	};
}

void series_store_report(struct series_store *store)
{
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const char *name = metric_table[metric].name;
		struct series_family_view view;

		series_family_read(store, metric, &view);
		if (!view.count && !view.refused_memory)
			continue;
		/* The agent's own are worth a line when their bound, which nobody sets, has
		 * bitten. */
		if (!metric_has_service(metric) && !view.refused_limit && !view.refused_memory)
			continue;
		(void)series_set(store, METRIC_SERIES, (label_values){ name }, 0,
				 (double)view.count);
		(void)series_set(store, METRIC_SERIES_LIMIT, (label_values){ name }, 0,
				 (double)view.limit);
		(void)series_set_total(store, METRIC_SERIES_REFUSED,
				       (label_values){ name, "limit" }, 0, view.refused_limit);
		(void)series_set_total(store, METRIC_SERIES_REFUSED,
				       (label_values){ name, "no_memory" }, 0, view.refused_memory);
		(void)series_set_total(store, METRIC_SERIES_EXPIRED, (label_values){ name }, 0,
				       view.expired);
		if (store->sent_ns != UINT64_MAX)
			(void)series_set_total(store, METRIC_SERIES_UNSENT, (label_values){ name },
					       0, view.unsent);
	}
}

static int snapshot_add_series(struct snapshot *snapshot, enum metric metric,
			       const struct series *series, bool is_overflow)
{
	struct sample sample = {
		.values = series->key,
		.values_bytes = series->key_bytes,
		.began_ns = series->began_ns,
		.is_overflow = is_overflow,
	};

	switch (metric_table[metric].type) {
	case METRIC_COUNTER:
		sample.total = series->total;
		break;
	case METRIC_HISTOGRAM:
		sample.histogram = series->histogram;
		break;
	default:
		sample.gauge = series->gauge;
		break;
	}
	return snapshot_add(snapshot, metric, &sample);
}

static int snapshot_add_family(struct snapshot *snapshot, enum metric metric,
			       const struct family *family)
{
	const struct table_node *node = family->table.oldest;
	int err;

	err = snapshot_reserve(snapshot, metric, family->table.count + (family->overflow ? 1 : 0));
	for (; node && err == 0; node = node->newer)
		err = snapshot_add_series(snapshot, metric, table_entry(node, struct series, node),
					  false);
	if (err == 0 && family->overflow)
		err = snapshot_add_series(snapshot, metric, family->overflow, true);
	return err;
}

struct snapshot *series_snapshot(const struct series_store *store)
{
	struct snapshot *snapshot = snapshot_new(store->now_ns);
	int err = snapshot ? 0 : -ENOMEM;

	for (enum metric metric = 0; metric < METRIC_COUNT && err == 0; metric++)
		err = snapshot_add_family(snapshot, metric, &store->families[metric]);
	if (err < 0)
		snapshot_unref(&snapshot);
	return snapshot;
}
