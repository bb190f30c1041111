/* SPDX-License-Identifier: Apache-2.0 */
/* Many bytes looked at together. Inline: it is for loops that have an instruction or so for each byte. */
#ifndef SONDE_BASE_BYTE_BLOCK_H
#define SONDE_BASE_BYTE_BLOCK_H

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BYTE_BLOCK 32

#ifdef __SSE2__
static inline uint32_t byte_half_find_small(const uint8_t half[16], uint8_t limit)
{
	__m128i bytes = _mm_loadu_si128((const __m128i_u *)half);
	__m128i smaller = _mm_min_epu8(bytes, _mm_set1_epi8((char)limit));

	return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, smaller));
}
#endif

/* Bit i is set when block[i] is not above the limit. */
static inline uint32_t byte_block_find_small(const uint8_t block[BYTE_BLOCK], uint8_t limit)
{
#ifdef __SSE2__
	return byte_half_find_small(block, limit) | byte_half_find_small(block + 16, limit) << 16;
#else
	uint32_t found = 0;

	for (unsigned i = 0; i < BYTE_BLOCK; i++)
		found |= (uint32_t)(block[i] <= limit) << i;
	return found;
#endif
}

#endif
