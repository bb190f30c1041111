/* SPDX-License-Identifier: Apache-2.0 */
/* Header, question, and the addresses of the answer, by which a lookup is told from others of its process; they are told to nobody. */
#include "protocol/dns_message.h"

#include <errno.h>
#include <string.h>

#include "protocol/dns_words.h"

#define HEADER_BYTES 12
#define LABEL_MAX 63
#define POINTER 0xc0
#define RECORD_BYTES 10 /* type, class, time to live, length of the data */
#define FLAG_ANSWER 0x8000
#define FLAGS_OPCODE 0x7800
#define FLAG_TRUNCATED 0x0200
#define FLAGS_RCODE 0x000f

struct reader {
	const uint8_t *bytes;
	size_t captured;
	size_t length;
	size_t at;
};

static unsigned read_u16(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Whether `count` more bytes are there: 0, -ENODATA or -EBADMSG. */
static int want(const struct reader *reader, size_t count)
{
	if (reader->at + count > reader->length)
		return -EBADMSG;
	return reader->at + count > reader->captured ? -ENODATA : 0;
}

static char shown(uint8_t byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return (char)(byte - 'A' + 'a');
	if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	    byte == '*')
		return (char)byte;
	return '_';
}

/* A question is the first name of its message: there is nothing before that it could point to. */
static int read_name(struct reader *reader, char *name)
{
	size_t used = 0;

	for (;;) {
		int error = want(reader, 1);
		unsigned label;

		if (error)
			return error;
		label = reader->bytes[reader->at++];
		if (!label)
			break;
		if (label > LABEL_MAX || used + label + 1 > DNS_NAME_MAX + 1)
			return -EBADMSG;
		error = want(reader, label);
		if (error)
			return error;
		for (; label; label--)
			name[used++] = shown(reader->bytes[reader->at++]);
		name[used++] = '.';
	}
	name[used ? used - 1 : 0] = '\0';
	return 0;
}

/* Internet, Chaos, Hesiod, none and any: RFC 6895, section 3.2. */
static bool is_class(unsigned number)
{
	return number == 1 || number == 3 || number == 4 || number == 254 || number == 255;
}

static int read_question(struct reader *reader, struct dns_message *message)
{
	int error = read_name(reader, message->name);

	if (!error)
		error = want(reader, 4);
	if (error)
		return error;
	message->type = (uint16_t)read_u16(reader->bytes + reader->at);
	message->has_question = true;
	return is_class(read_u16(reader->bytes + reader->at + 2)) ? 0 : -EBADMSG;
}

int dns_message_read(const uint8_t *bytes, size_t captured, size_t length,
		     struct dns_message *ret_message)
{
	struct reader reader = {
		.bytes = bytes, .captured = captured, .length = length, .at = HEADER_BYTES
	};
	struct dns_message message = { 0 };
	unsigned flags, questions;
	int error;

	if (length < HEADER_BYTES)
		return -EBADMSG;
	if (captured < HEADER_BYTES)
		return -ENODATA;
	flags = read_u16(bytes + 2);
	questions = read_u16(bytes + 4);
	message.id = (uint16_t)read_u16(bytes);
	message.is_answer = flags & FLAG_ANSWER;
	message.is_truncated = flags & FLAG_TRUNCATED;
	message.rcode = flags & FLAGS_RCODE;
	if (flags & FLAGS_OPCODE || questions > 1 || (!questions && !message.rcode))
		return -ENOTSUP;
	error = questions ? read_question(&reader, &message) : 0;
	if (error)
		return error;
	*ret_message = message;
	return 0;
}

/* RFC 1035, section 4.1.4: a name ends with a zero or with a pointer to another one. */
static int skip_name(struct reader *reader)
{
	for (;;) {
		unsigned label;
		int error = want(reader, 1);

		if (error)
			return error;
		label = reader->bytes[reader->at++];
		if (!label)
			return 0;
		if ((label & POINTER) == POINTER) {
			reader->at++;
			return 0;
		}
		if (label > LABEL_MAX)
			return -EBADMSG;
		reader->at += label;
	}
}

/* Returns the bytes of its data, which the reader is at, or negative errno. */
static int read_record(struct reader *reader, unsigned *ret_type)
{
	const uint8_t *fields;
	int error = skip_name(reader);

	if (!error)
		error = want(reader, RECORD_BYTES);
	if (error)
		return error;
	fields = reader->bytes + reader->at;
	reader->at += RECORD_BYTES;
	*ret_type = read_u16(fields);
	return (int)read_u16(fields + 8);
}

static void add_address(struct dns_addresses *addresses, const uint8_t *bytes, size_t length)
{
	uint8_t *address = addresses->bytes[addresses->count++];

	memset(address, 0, sizeof(addresses->bytes[0]));
	memcpy(address, bytes, length);
}

void dns_message_addresses(const uint8_t *bytes, size_t captured,
			   struct dns_addresses *ret_addresses)
{
	struct reader reader = {
		.bytes = bytes, .captured = captured, .length = captured, .at = HEADER_BYTES
	};
	unsigned records, type = 0;
	int length;

	ret_addresses->count = 0;
	if (captured < HEADER_BYTES || read_u16(bytes + 4) != 1 || skip_name(&reader))
		return;
	reader.at += 4; /* type and class */
	records = read_u16(bytes + 6);
	for (; records && ret_addresses->count < DNS_ADDRESSES_MAX; records--) {
		length = read_record(&reader, &type);
		if (length < 0 || want(&reader, (size_t)length))
			return;
		if ((type == DNS_TYPE_A && length == 4) || (type == DNS_TYPE_AAAA && length == 16))
			add_address(ret_addresses, bytes + reader.at, (size_t)length);
		reader.at += (size_t)length;
	}
}
