/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the HTTP/2 parser, shared by http2.c (frames), http2_seek.c (where frames begin) and http2_head.c (fields). */
#ifndef SONDE_PROTOCOL_HTTP2_STATE_H
#define SONDE_PROTOCOL_HTTP2_STATE_H

#include "protocol/hpack.h"
#include "protocol/http2_words.h"
#include "protocol/protocol.h"

/* A header block that is longer, over all its frames, is not decoded. */
#define HTTP2_BLOCK_MAX 65536

#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define HTTP2_PREFACE_BYTES (sizeof(HTTP2_PREFACE) - 1)

/* To go on with the next place. */
#define STEP_ONWARD STEP_COUNT

enum place {
	AT_START, /* before the first byte of all */
	IN_PREFACE,
	IN_HEADER, /* of a frame */
	IN_PAD_LENGTH,
	IN_FIXED, /* before a header block: priority, the promised stream */
	IN_BLOCK,
	IN_DATA,
	IN_CODE, /* what RST_STREAM and GOAWAY say */
	IN_REST, /* of the frame, which nobody wants */
	PLACE_COUNT,
};

/* What a header block, over all its frames, is. */
enum block_kind {
	BLOCK_REQUEST,
	BLOCK_ANSWER, /* its head, an interim one, or its trailers: the fields show which */
	BLOCK_TRAILERS,
	BLOCK_PROMISE, /* of a request that nobody made */
	BLOCK_PUSHED,  /* an answer to that */
};

struct http2_side {
	struct hpack *hpack;  /* owned; NULL: before the first block, or after a lost one */
	uint8_t *block;	      /* owned: what came of a block that frames or runs divide */
	uint32_t block_bytes; /* in it */
	uint32_t block_room;
	struct http2_frame frame;
	uint32_t left;	       /* of the frame's payload */
	uint32_t facts_stream; /* whose facts parse is given; 0: nobody's */
	uint32_t newest;       /* stream that this side began */
	struct protocol_stream told;
	uint8_t bytes[HTTP2_FRAME_HEADER]; /* of the frame's header, of what is IN_CODE, counted in */
	uint8_t kept;
	uint8_t place; /* enum place */
	uint8_t pad_bytes;
	uint8_t block_kind; /* enum block_kind */
	uint8_t agreed;	    /* frames in a row that look right, while seeking; enough of them */
	bool is_seeking;    /* it is not known where a frame begins */
	bool is_first_try;  /* where we are, a frame may well begin */
	bool is_block_open; /* a CONTINUATION must follow */
	bool is_block_unseen;
	bool ends_stream;
};

struct http2_state {
	struct http2_side sides[SIDE_COUNT];
	bool is_proven; /* by the preface or a header block: nothing else speaks so */
};
_Static_assert(sizeof(struct http2_state) <= PROTOCOL_STATE_MAX, "raise PROTOCOL_STATE_MAX");

/* Layout of exchange_facts.text. */
struct http2_text {
	char path[URL_PATH_MAX + 1];
};
_Static_assert(sizeof(struct http2_text) <= FACTS_TEXT_MAX, "raise FACTS_TEXT_MAX");

/* exchange_facts.note */
enum http2_note {
	NOTE_HEAD_SEEN = 1 << 0, /* of the final answer */
	NOTE_GRPC = 1 << 1,
	NOTE_TYPE_SEEN = 1 << 2, /* content-type of the request */
};

/* One call of the parser. */
struct http2_parse {
	struct http2_state *http2;
	struct http2_side *side;
	struct protocol_run *run;
	struct exchange_facts *facts;
	enum message_side which;
};

static inline void http2_take(struct protocol_run *run, uint64_t count)
{
	if (run->bytes)
		run->bytes += count;
	run->length -= count;
}

/* A stream that the client began; others were pushed by the server and are only followed. */
static inline bool http2_is_own(const struct http2_side *side)
{
	return side->frame.stream & 1;
}

/* The frame header in side->bytes, where it is not sure that one is there. Returns false when it is none, or not yet sure
 * enough; the side is then left to go on with what comes next. ret_is_wrong: what seemed to be a frame before was none. */
bool http2_seek(struct http2_side *side, bool *ret_is_wrong);

/* Bytes that may be anywhere: begin to seek. is_first_try: a frame may well begin with the next. */
void http2_seek_begin(struct http2_side *side, bool is_first_try);

enum sniff_result http2_sniff(const uint8_t *bytes, size_t length);

/* The block is whole: say what it tells. STEP_HEAD, STEP_UNSEEN, STEP_PUSH, STEP_BROKEN, or STEP_ONWARD when nothing. */
enum protocol_step http2_take_block(struct http2_parse *parse, const uint8_t *block, size_t length);

#endif
