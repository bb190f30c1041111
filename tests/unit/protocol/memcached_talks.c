/* SPDX-License-Identifier: Apache-2.0 */
/* What memcached 1.6.18 and its clients said: Q asked, A answered. */
#include "memcached_talks.h"

static const struct said text[] = {
	{ 'Q', 20, "set a 0 0 5\r\nhello\r\n" },
	{ 'A', 8, "STORED\r\n" },
	{ 'Q', 36, "set b 0 0 2 noreply\r\nhi\r\nget a b c\r\n" },
	{ 'A', 42, "VALUE a 0 5\r\nhello\r\nVALUE b 0 2\r\nhi\r\nEND\r\n" },
	{ 'Q', 19, "incr a 1\r\nbogus\r\n\r\n" },
	{ 'A', 76,
	  "CLIENT_ERROR cannot increment or decrement non-numeric value\r\nERROR\r\nERR"
	  "OR\r\n" },
	{ 'Q', 13, "set a 0 0 x\r\n" },
	{ 'A', 38, "CLIENT_ERROR bad command line format\r\n" },
	{ 'Q', 22, "set k 0 0 2\r\ntoolong\r\n" },
	{ 'A', 36, "CLIENT_ERROR bad data chunk\r\nERROR\r\n" },
	{ 'Q', 71,
	  "mg none q v\r\nmg a q v s Oabc\r\nms x 3 q\r\nfoo\r\nmd x q\r\nmd none q Oz"
	  "\r\nmn\r\n" },
	{ 'A', 32, "VA 5 s5 Oabc\r\nhello\r\nNF Oz\r\nMN\r\n" },
	{ 'Q', 63,
	  "ms y 2 q I\r\nzz\r\nms y 2 ME q O7\r\nzz\r\nma a q\r\nma y Ok\r\nme y\r\nmn"
	  "\r\n" },
	{ 'A', 182,
	  "NS O7\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\nCLI"
	  "ENT_ERROR cannot increment or decrement non-numeric value\r\nME y exp=-1 la="
	  "0 cas=4 fetch=no cls=1 size=62\r\nMN\r\n" },
	{ 'Q', 37, "gat 100 a c\r\ngats 100 b\r\ntouch a 10\r\n" },
	{ 'A', 58, "VALUE a 0 5\r\nhello\r\nEND\r\nVALUE b 0 2 2\r\nhi\r\nEND\r\nTOUCHED\r\n" },
	{ 'Q', 22, "stats sizes\r\nversion\r\n" },
	{ 'A', 49, "STAT sizes_status disabled\r\nEND\r\nVERSION 1.6.18\r\n" },
	{ 'Q', 39, "get a b c a\r\nlru_crawler metadump all\r\n" },
	{ 'A', 188,
	  "VALUE a 0 5\r\nhello\r\nVALUE b 0 2\r\nhi\r\nVALUE a 0 5\r\nhello\r\nEND\r\n"
	  "key=b exp=1795310143 la=1795310043 cas=2 fetch=yes cls=1 size=62\nkey=y exp="
	  "-1 la=1795310043 cas=4 fetch=no cls=1 size=62\nEND\r\n" },
	{ 'Q', 46, "verbosity 1 noreply\r\nlru_crawler sleep x\r\nmn\r\n" },
	{ 'A', 42, "CLIENT_ERROR bad command line format\r\nMN\r\n" },
	{ 0, 0, 0 },
};

static const struct said binary[] = {
	{ 'Q', 38, "\200\1\0\1\10\0\0\0\0\0\0\16\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ahello" },
	{ 'A', 24, "\201\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5" },
	{ 'Q', 102,
	  "\200\11\0\1\0\0\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0a\200\11\0\4\0\0\0\0\0\0"
	  "\0\4\0\0\0\2\0\0\0\0\0\0\0\0none\200\r\0\1\0\0\0\0\0\0\0\1\0\0\0\3\0\0\0\0\0"
	  "\0\0\0a\200\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 'A', 91,
	  "\201\11\0\0\4\0\0\0\0\0\0\11\0\0\0\1\0\0\0\0\0\0\0\5\0\0\0\0hello\201\r\0\1"
	  "\4\0\0\0\0\0\0\n\0\0\0\3\0\0\0\0\0\0\0\5\0\0\0\0ahello\201\n\0\0\0\0\0\0\0\0"
	  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 'Q', 142,
	  "\200\21\0\1\10\0\0\0\0\0\0\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0qv\200"
	  "\22\0\1\10\0\0\0\0\0\0\n\0\0\0\11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0qv\200\24\0"
	  "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0q\200\24\0\1\0\0\0\0\0\0\0\1\0\0\0"
	  "\10\0\0\0\0\0\0\0\0q\200\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 'A', 101,
	  "\201\22\0\0\0\0\0\2\0\0\0\24\0\0\0\11\0\0\0\0\0\0\0\0Data exists for key."
	  "\201\24\0\0\0\0\0\1\0\0\0\11\0\0\0\10\0\0\0\0\0\0\0\0Not found\201\n\0\0\0\0"
	  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 'Q', 203,
	  "\200\5\0\1\24\0\0\0\0\0\0\25\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0"
	  "\0\0\0\1\0\0\0\0a\200\13\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\200\0\0"
	  "\4\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0none\200\177\0\0\0\0\0\0\0\0\0\0\0"
	  "\0\0\0\0\0\0\0\0\0\0\0\200\20\0\5\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0siz"
	  "es\200\34\0\1\4\0\0\0\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1a\200\n\0\0\0\0"
	  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 'A', 292,
	  "\201\5\0\0\0\0\0\6\0\0\0.\0\0\0\0\0\0\0\0\0\0\0\0Non-numeric server-side val"
	  "ue for incr or decr\201\13\0\0\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\0\0\0\0\0001.6."
	  "18\201\0\0\0\0\0\0\1\0\0\0\11\0\0\0\0\0\0\0\0\0\0\0\0Not found\201\177\0\0\0"
	  "\0\0\201\0\0\0\17\0\0\0\0\0\0\0\0\0\0\0\0Unknown command\201\20\0\14\0\0\0\0"
	  "\0\0\0\24\0\0\0\0\0\0\0\0\0\0\0\0sizes_statusdisabled\201\20\0\0\0\0\0\0\0\0"
	  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\201\34\0\0\4\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0"
	  "\0\5\0\0\0\0\201\n\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" },
	{ 0, 0, 0 },
};

const struct said *const memcached_talks[] = {
	[MEMCACHED_TEXT] = text,
	[MEMCACHED_BINARY] = binary,
};
