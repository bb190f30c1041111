/* SPDX-License-Identifier: Apache-2.0 */
/* Finds where each field of a block begins and ends, and gives nghttp2 those that it can decode. An entry with an unknown name
 * takes its place in the table all the same: numbers count from the newest entry, so those of the others stay right. */
#include "protocol/hpack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

/* Numbers beyond are no lengths of anything that we would look at. */
#define NUMBER_MAX (1u << 28)
#define STATIC_ENTRIES 61

/* No field has such a name: fields are in lower case. */
static const uint8_t unknown_name[] = { 0x40, 1, '?' };

struct hpack {
	nghttp2_hd_inflater *inflater; /* owned */
};

/* What a field's first byte says. Source: RFC 7541 §6 */
enum form {
	FORM_INDEXED,
	FORM_ADDED, /* a literal that the table takes in */
	FORM_TABLE_SIZE,
	FORM_LITERAL,
};

struct field {
	const uint8_t *bytes;
	size_t length;
	size_t value_at; /* of a literal */
	uint32_t index;	 /* or the new size of the table */
	enum form form;
};

struct block {
	struct hpack *hpack;
	const uint8_t *at;
	const uint8_t *end;
	int unknown;
	void (*visit)(void *context, struct hpack_text name, struct hpack_text value);
	void *context;
};

struct hpack *hpack_new(void)
{
	struct hpack *hpack = calloc(1, sizeof(*hpack));

	if (!hpack)
		return NULL;
	if (nghttp2_hd_inflate_new(&hpack->inflater) != 0 ||
	    nghttp2_hd_inflate_change_table_size(hpack->inflater, HPACK_TABLE_MAX) != 0)
		hpack_free(&hpack);
	return hpack;
}

void hpack_free(struct hpack **hpack)
{
	if (*hpack && (*hpack)->inflater)
		nghttp2_hd_inflate_del((*hpack)->inflater);
	free(*hpack);
	*hpack = NULL;
}

/* RFC 7541 §5.1. Returns false when it is too large, or its end is not there. */
static bool take_number(struct block *block, unsigned prefix_bits, uint32_t *ret_number)
{
	uint32_t mask = (1u << prefix_bits) - 1, number;
	unsigned shift = 0;
	uint8_t byte;

	if (block->at == block->end)
		return false;
	number = *block->at++ & mask;
	if (number == mask) {
		do {
			if (block->at == block->end || shift > 28)
				return false;
			byte = *block->at++;
			number += (uint32_t)(byte & 0x7f) << shift;
			shift += 7;
		} while (byte & 0x80);
	}
	*ret_number = number;
	return number <= NUMBER_MAX;
}

static bool skip_string(struct block *block)
{
	uint32_t length;

	if (!take_number(block, 7, &length) || length > (size_t)(block->end - block->at))
		return false;
	block->at += length;
	return true;
}

static bool take_field(struct block *block, struct field *field)
{
	uint8_t first = *block->at;
	unsigned bits = 4;

	field->bytes = block->at;
	field->form = FORM_LITERAL;
	if (first & 0x80) {
		field->form = FORM_INDEXED;
		bits = 7;
	} else if (first & 0x40) {
		field->form = FORM_ADDED;
		bits = 6;
	} else if (first & 0x20) {
		field->form = FORM_TABLE_SIZE;
		bits = 5;
	}
	if (!take_number(block, bits, &field->index))
		return false;
	if (field->form == FORM_ADDED || field->form == FORM_LITERAL) {
		if (!field->index && !skip_string(block))
			return false;
		field->value_at = (size_t)(block->at - field->bytes);
		if (!skip_string(block))
			return false;
	}
	field->length = (size_t)(block->at - field->bytes);
	return field->form != FORM_INDEXED || field->index;
}

static void tell(struct block *block, const nghttp2_nv *nv)
{
	if (nv->namelen == 1 && nv->name[0] == unknown_name[2])
		block->unknown++;
	else
		block->visit(block->context,
			     (struct hpack_text){ (const char *)nv->name, nv->namelen },
			     (struct hpack_text){ (const char *)nv->value, nv->valuelen });
}

static bool inflate(struct block *block, const uint8_t *bytes, size_t length)
{
	while (length) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t taken = nghttp2_hd_inflate_hd2(block->hpack->inflater, &nv, &flags, bytes,
						       length, 0);

		if (taken < 0)
			return false;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			tell(block, &nv);
		else if (!taken)
			return false;
		bytes += taken;
		length -= (size_t)taken;
	}
	return true;
}

/* A size that we do not keep is brought down to the one that we do. */
static bool inflate_size(struct block *block, const struct field *field)
{
	static const uint8_t largest[] = { 0x3f, 0xe1, 0xff, 0x03 };

	_Static_assert(HPACK_TABLE_MAX == 31 + (0x61 | 0x7f << 7 | 0x03 << 14), "in `largest`");
	if (field->index > HPACK_TABLE_MAX)
		return inflate(block, largest, sizeof(largest));
	return inflate(block, field->bytes, field->length);
}

static bool decode_field(struct block *block, const struct field *field)
{
	if (field->form == FORM_TABLE_SIZE)
		return inflate_size(block, field);
	if (field->index <= STATIC_ENTRIES ||
	    field->index <= nghttp2_hd_inflate_get_num_table_entries(block->hpack->inflater))
		return inflate(block, field->bytes, field->length);
	if (field->form == FORM_ADDED)
		return inflate(block, unknown_name, sizeof(unknown_name)) &&
		       inflate(block, field->bytes + field->value_at,
			       field->length - field->value_at);
	block->unknown++;
	return true;
}

int hpack_decode(struct hpack *hpack, const uint8_t *bytes, size_t length,
		 void (*visit)(void *context, struct hpack_text name, struct hpack_text value),
		 void *context)
{
	struct block block = { .hpack = hpack,
			       .at = bytes,
			       .end = bytes + length,
			       .visit = visit,
			       .context = context };
	struct field field;

	if (!length)
		return 0;
	while (block.at < block.end)
		if (!take_field(&block, &field) || !decode_field(&block, &field))
			return -EBADMSG;
	if (nghttp2_hd_inflate_end_headers(hpack->inflater) != 0)
		return -EBADMSG;
	return block.unknown;
}
