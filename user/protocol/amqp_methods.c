/* SPDX-License-Identifier: Apache-2.0 */
/* See amqp_methods.h. Numbers and arguments: amqp0-9-1.extended.xml (the specification with RabbitMQ's extensions). */
#include "protocol/amqp_methods.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER(class, method) ((class) << 16 | (method))
#define CALL(class, method, name, layout, no_wait, meaning)                                    \
	{                                                                                      \
		NUMBER(class, method), 0, name, layout, AMQP_BY_CLIENT, meaning, true, no_wait \
	}
#define ANSWER(class, method, to, name, layout, meaning)                                         \
	{                                                                                        \
		NUMBER(class, method), NUMBER(class, to), name, layout, AMQP_BY_SERVER, meaning, \
			false, 0                                                                 \
	}
#define SAID(class, method, sender, name, layout, meaning)                        \
	{                                                                         \
		NUMBER(class, method), 0, name, layout, sender, meaning, false, 0 \
	}

/* Sorted by number. basic.publish is "publish", as the conventions for RabbitMQ have it. */
static const struct amqp_method methods[] = {
	SAID(10, 10, AMQP_BY_SERVER, "connection.start", "", AMQP_PLAIN),
	CALL(10, 11, "connection.start", "", 0, AMQP_PLAIN),
	SAID(10, 20, AMQP_BY_SERVER, "connection.secure", "", AMQP_PLAIN),
	SAID(10, 21, AMQP_BY_CLIENT, "connection.secure", "", AMQP_PLAIN),
	ANSWER(10, 30, 11, "connection.tune", "", AMQP_PLAIN),
	SAID(10, 31, AMQP_BY_CLIENT, "connection.tune", "", AMQP_PLAIN),
	CALL(10, 40, "connection.open", "", 0, AMQP_PLAIN),
	ANSWER(10, 41, 40, "connection.open", "", AMQP_PLAIN),
	{ NUMBER(10, 50), 0, "connection.close", "CsM", AMQP_BY_BOTH, AMQP_CLOSE, true, 0 },
	{ NUMBER(10, 51), NUMBER(10, 50), "connection.close", "", AMQP_BY_BOTH, AMQP_CLOSE_OK,
	  false, 0 },
	SAID(10, 60, AMQP_BY_SERVER, "connection.blocked", "", AMQP_PLAIN),
	SAID(10, 61, AMQP_BY_SERVER, "connection.unblocked", "", AMQP_PLAIN),
	CALL(10, 70, "connection.update-secret", "", 0, AMQP_PLAIN),
	ANSWER(10, 71, 70, "connection.update-secret", "", AMQP_PLAIN),
	CALL(20, 10, "channel.open", "", 0, AMQP_OPEN_CHANNEL),
	ANSWER(20, 11, 10, "channel.open", "", AMQP_PLAIN),
	{ NUMBER(20, 20), 0, "channel.flow", "", AMQP_BY_BOTH, AMQP_PLAIN, true, 0 },
	{ NUMBER(20, 21), NUMBER(20, 20), "channel.flow", "", AMQP_BY_BOTH, AMQP_PLAIN, false, 0 },
	{ NUMBER(20, 40), 0, "channel.close", "CsM", AMQP_BY_BOTH, AMQP_CLOSE, true, 0 },
	{ NUMBER(20, 41), NUMBER(20, 40), "channel.close", "", AMQP_BY_BOTH, AMQP_CLOSE_OK, false,
	  0 },
	CALL(40, 10, "exchange.declare", "wNsB", 1 << 4, AMQP_PLAIN),
	ANSWER(40, 11, 10, "exchange.declare", "", AMQP_PLAIN),
	CALL(40, 20, "exchange.delete", "wNB", 1 << 1, AMQP_PLAIN),
	ANSWER(40, 21, 20, "exchange.delete", "", AMQP_PLAIN),
	CALL(40, 30, "exchange.bind", "wNssB", 1 << 0, AMQP_PLAIN),
	ANSWER(40, 31, 30, "exchange.bind", "", AMQP_PLAIN),
	CALL(40, 40, "exchange.unbind", "wNssB", 1 << 0, AMQP_PLAIN),
	ANSWER(40, 51, 40, "exchange.unbind", "", AMQP_PLAIN),
	CALL(50, 10, "queue.declare", "wNB", 1 << 4, AMQP_PLAIN),
	ANSWER(50, 11, 10, "queue.declare", "", AMQP_PLAIN),
	CALL(50, 20, "queue.bind", "wNssB", 1 << 0, AMQP_PLAIN),
	ANSWER(50, 21, 20, "queue.bind", "", AMQP_PLAIN),
	CALL(50, 30, "queue.purge", "wNB", 1 << 0, AMQP_PLAIN),
	ANSWER(50, 31, 30, "queue.purge", "", AMQP_PLAIN),
	CALL(50, 40, "queue.delete", "wNB", 1 << 2, AMQP_PLAIN),
	ANSWER(50, 41, 40, "queue.delete", "", AMQP_PLAIN),
	CALL(50, 50, "queue.unbind", "wN", 0, AMQP_PLAIN),
	ANSWER(50, 51, 50, "queue.unbind", "", AMQP_PLAIN),
	CALL(60, 10, "qos", "", 0, AMQP_PLAIN),
	ANSWER(60, 11, 10, "qos", "", AMQP_PLAIN),
	CALL(60, 20, "consume", "wNTB", 1 << 3, AMQP_CONSUME),
	ANSWER(60, 21, 20, "consume", "T", AMQP_CONSUME_OK),
	{ NUMBER(60, 30), 0, "cancel", "TB", AMQP_BY_BOTH, AMQP_CANCEL, true, 1 << 0 },
	{ NUMBER(60, 31), NUMBER(60, 30), "cancel", "", AMQP_BY_BOTH, AMQP_CANCEL_OK, false, 0 },
	SAID(60, 40, AMQP_BY_CLIENT, "publish", "wNRB", AMQP_PUBLISH),
	SAID(60, 50, AMQP_BY_SERVER, "return", "CsNR", AMQP_RETURN),
	SAID(60, 60, AMQP_BY_SERVER, "deliver", "TDBNR", AMQP_DELIVER),
	CALL(60, 70, "get", "wNB", 0, AMQP_GET),
	ANSWER(60, 71, 70, "get", "DBNR", AMQP_GET_OK),
	ANSWER(60, 72, 70, "get", "", AMQP_PLAIN),
	SAID(60, 80, AMQP_BY_BOTH, "ack", "DB", AMQP_ACK),
	SAID(60, 90, AMQP_BY_CLIENT, "reject", "D", AMQP_REJECT),
	SAID(60, 100, AMQP_BY_CLIENT, "recover-async", "", AMQP_PLAIN),
	CALL(60, 110, "recover", "", 0, AMQP_PLAIN),
	ANSWER(60, 111, 110, "recover", "", AMQP_PLAIN),
	SAID(60, 120, AMQP_BY_BOTH, "nack", "DB", AMQP_NACK),
	CALL(85, 10, "confirm.select", "B", 1 << 0, AMQP_SELECT_CONFIRMS),
	ANSWER(85, 11, 10, "confirm.select", "", AMQP_PLAIN),
	CALL(90, 10, "tx.select", "", 0, AMQP_PLAIN),
	ANSWER(90, 11, 10, "tx.select", "", AMQP_PLAIN),
	CALL(90, 20, "tx.commit", "", 0, AMQP_PLAIN),
	ANSWER(90, 21, 20, "tx.commit", "", AMQP_PLAIN),
	CALL(90, 30, "tx.rollback", "", 0, AMQP_PLAIN),
	ANSWER(90, 31, 30, "tx.rollback", "", AMQP_PLAIN),
};

static int compare_method(const void *key, const void *row)
{
	uint32_t number = *(const uint32_t *)key, other = ((const struct amqp_method *)row)->number;

	return (number > other) - (number < other);
}

const struct amqp_method *amqp_method_find(uint32_t number)
{
	return bsearch(&number, methods, sizeof(methods) / sizeof(methods[0]), sizeof(methods[0]),
		       compare_method);
}

const char *amqp_reply_code(unsigned code)
{
	static const char codes[][4] = { "200", "311", "312", "313", "320", "402", "403",
					 "404", "405", "406", "501", "502", "503", "504",
					 "505", "506", "530", "540", "541" };
	const char digits[4] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10),
				 (char)('0' + code % 10), '\0' };

	for (size_t i = 0; code < 1000 && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i], digits) == 0)
			return codes[i];
	return "_OTHER";
}

struct cursor {
	const uint8_t *bytes;
	size_t left;
};

static uint64_t read_number(struct cursor *cursor, size_t bytes)
{
	uint64_t number = 0;

	for (cursor->left -= bytes; bytes; bytes--)
		number = number << 8 | *cursor->bytes++;
	return number;
}

static bool read_text(struct cursor *cursor, struct amqp_text *ret_text)
{
	struct amqp_text text;

	if (!cursor->left || cursor->left - 1 < *cursor->bytes)
		return false;
	text.length = (uint8_t)read_number(cursor, 1);
	text.bytes = cursor->bytes;
	cursor->bytes += text.length;
	cursor->left -= text.length;
	*ret_text = text;
	return true;
}

static size_t number_bytes(char part)
{
	switch (part) {
	case 'B':
		return 1;
	case 'w':
	case 'C':
		return 2;
	case 'l':
	case 'M':
		return 4;
	case 'D':
		return 8;
	default:
		return 0;
	}
}

static bool read_text_part(struct cursor *cursor, char part, struct amqp_arguments *arguments)
{
	struct amqp_text unwanted;

	switch (part) {
	case 'N':
		return read_text(cursor, &arguments->name);
	case 'R':
		return read_text(cursor, &arguments->route);
	case 'T':
		return read_text(cursor, &arguments->consumer);
	default:
		return read_text(cursor, &unwanted);
	}
}

bool amqp_arguments_read(const struct amqp_method *method, const uint8_t *bytes, size_t length,
			 struct amqp_arguments *ret_arguments)
{
	struct cursor cursor = { bytes, length };

	memset(ret_arguments, 0, sizeof(*ret_arguments));
	for (const char *part = method->layout; *part; part++) {
		size_t size = number_bytes(*part);
		uint64_t number;

		if (!size) {
			if (!read_text_part(&cursor, *part, ret_arguments))
				return false;
			continue;
		}
		if (cursor.left < size)
			return false;
		number = read_number(&cursor, size);
		if (*part == 'B')
			ret_arguments->bits = (uint8_t)number;
		else if (*part == 'C')
			ret_arguments->code = (uint16_t)number;
		else if (*part == 'M')
			ret_arguments->culprit = (uint32_t)number;
		else if (*part == 'D')
			ret_arguments->tag = number;
	}
	return true;
}
