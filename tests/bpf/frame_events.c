/* SPDX-License-Identifier: Apache-2.0 */
/* What begins as PostgreSQL does is sent call by call, and rows that follow each other as one, without their bytes. */
#include "scenes.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#define SAY(fd, literal) MUST(write(fd, literal, sizeof(literal) - 1))

#define STARTUP "\0\0\0\22\0\3\0\0user\0me\0\0\0"
#define QUERY "Q\0\0\0\15SELECT 1\0"
#define COMPLETE "C\0\0\0\15SELECT 1\0Z\0\0\0\5I"

/* Start-up and a query, answered by `rows` rows of `length` bytes in one write. */
static struct ends answer(struct stage *stage, size_t rows, size_t length)
{
	static char text[16384];
	struct ends ends = stage_ends(stage);
	size_t at = 0;

	SAY(ends.client, STARTUP);
	stage_read(stage, ends.server, sizeof(STARTUP) - 1, 64);
	SAY(ends.server, "R\0\0\0\10\0\0\0\0");
	stage_read(stage, ends.client, 9, 64);
	SAY(ends.client, QUERY);
	stage_read(stage, ends.server, sizeof(QUERY) - 1, 64);
	memcpy(text, "T\0\0\0\6\0\0", 7);
	at = 7;
	for (size_t i = 0; i < rows; i++) {
		letters(text + at, length);
		memcpy(text + at, "D\0\0", 3);
		text[at + 3] = (char)((length - 1) >> 8);
		text[at + 4] = (char)(length - 1);
		at += length;
	}
	memcpy(text + at, COMPLETE, sizeof(COMPLETE) - 1);
	MUST(write(ends.server, text, at + sizeof(COMPLETE) - 1));
	return ends;
}

/* The second read begins inside the header of a row. */
static void act_rows(struct stage *stage)
{
	struct ends ends = answer(stage, 100, 60);

	stage_read(stage, ends.client, 7 + 50 * 60 + 2, 7 + 50 * 60 + 2);
	stage_read(stage, ends.client, 50 * 60 - 2 + 20, 4000);
	ends_close(&ends);
}

static void act_few_rows(struct stage *stage)
{
	struct ends ends = answer(stage, 4, 63);

	stage_read(stage, ends.client, 7 + 4 * 63 + 20, 4000);
	ends_close(&ends);
}

/* Over calls that end inside of it. */
static void act_wide_row(struct stage *stage)
{
	struct ends ends = answer(stage, 1, 5000);

	stage_read(stage, ends.client, 3000, 3000);
	stage_read(stage, ends.client, 1000, 1000);
	stage_read(stage, ends.client, 1027, 4000);
	ends_close(&ends);
}

#define CLIENT_ASKS                                                                                                                                                                \
	"client connect established\n"                                                                                                                                             \
	"client turn 1 write 18/1 tail \"er\\000me\\000\\000\\000\" call 18 at 0 \"\\000\\000\\000\\022\\000\\003\\000\\000user\\000me\\000\\000\\000\"\n"                         \
	"client turn 2 read 9/1 tail \"\\010\\000\\000\\000\\000\" call 9 at 0 \"R\\000\\000\\000\\010\\000\\000\\000\\000\" after write 18/1 tail \"er\\000me\\000\\000\\000\"\n" \
	"client turn 3 write 14/1 tail \"ELECT 1\\000\" call 14 at 0 \"Q\\000\\000\\000\\rSELECT 1\\000\" after read 9/1 tail \"\\010\\000\\000\\000\\000\"\n"
#define SERVER_ASKED                                                                                                                                                               \
	"server accept\n"                                                                                                                                                          \
	"server turn 1 read 18/1 tail \"er\\000me\\000\\000\\000\" call 18 at 0 \"\\000\\000\\000\\022\\000\\003\\000\\000user\\000me\\000\\000\\000\"\n"                          \
	"server turn 2 write 9/1 tail \"\\010\\000\\000\\000\\000\" call 9 at 0 \"R\\000\\000\\000\\010\\000\\000\\000\\000\" after read 18/1 tail \"er\\000me\\000\\000\\000\"\n" \
	"server turn 3 read 14/1 tail \"ELECT 1\\000\" call 14 at 0 \"Q\\000\\000\\000\\rSELECT 1\\000\" after write 9/1 tail \"\\010\\000\\000\\000\\000\"\n"

static const struct scene scenes[] = {
	{ .name = "rows",
	  .act = act_rows,
	  .expected = CLIENT_ASKS
	  "client turn 4 read 3009/1 tail unseen call 3007 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\013\\267\" after write 14/1 tail \"ELECT 1\\000\"\n"
	  "client turn 4 read 3009/1 tail unseen call 2 at 3007 \"D\\000\" continued\n"
	  "client turn 4 read 6027/2 tail unseen call 2998 at 3009 \"\\000\\000;fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghD\\000\\000\\013{\" continued\n"
	  "client turn 4 read 6027/2 tail unseen call 20 at 6007 \"C\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" continued\n"
	  "client close sent 32 received 6036 turn 4 read 6027/2 tail unseen\n" SERVER_ASKED
	  "server turn 4 write 6027/1 tail unseen call 4147 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\020+\" after read 14/1 tail \"ELECT 1\\000\"\n"
	  "server turn 4 write 6027/1 tail unseen call 1860 at 4147 \"D\\000\\000\\007C\" continued\n"
	  "server turn 4 write 6027/1 tail unseen call 20 at 6007 \"C\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" continued\n"
	  "server close sent 6036 received 32 turn 4 write 6027/1 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 server-exchanges 2 server-closes 1 sent 6068 received 6068\n" },
	{ .name = "few_rows",
	  .act = act_few_rows,
	  .expected = CLIENT_ASKS
	  "client turn 4 read 279/1 tail unseen call 279 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkC\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" after write 14/1 tail \"ELECT 1\\000\"\n"
	  "client close sent 32 received 288 turn 4 read 279/1 tail unseen\n" SERVER_ASKED
	  "server turn 4 write 279/1 tail unseen call 279 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkD\\000\\000\\000>fghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkC\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" after read 14/1 tail \"ELECT 1\\000\"\n"
	  "server close sent 288 received 32 turn 4 write 279/1 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 server-exchanges 2 server-closes 1 sent 320 received 320\n" },
	{ .name = "wide_row",
	  .act = act_wide_row,
	  .expected = CLIENT_ASKS
	  "client turn 4 read 3000/1 tail unseen call 3000 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\023\\207\" after write 14/1 tail \"ELECT 1\\000\"\n"
	  "client turn 4 read 5027/3 tail unseen call 20 at 5007 \"C\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" continued\n"
	  "client close sent 32 received 5036 turn 4 read 5027/3 tail unseen\n" SERVER_ASKED
	  "server turn 4 write 5027/1 tail unseen call 5007 at 0 \"T\\000\\000\\000\\006\\000\\000D\\000\\000\\023\\207\" after read 14/1 tail \"ELECT 1\\000\"\n"
	  "server turn 4 write 5027/1 tail unseen call 20 at 5007 \"C\\000\\000\\000\\rSELECT 1\\000Z\\000\\000\\000\\005I\" continued\n"
	  "server close sent 5036 received 32 turn 4 write 5027/1 tail unseen\n"
	  "it counts established 1 accepts 1 client-exchanges 2 client-closes 1 server-exchanges 2 server-closes 1 sent 5068 received 5068\n" },
};

static const struct group groups[] = {
	{ .name = "frames", .scenes = scenes, .count = LENGTH(scenes) },
};

int main(int argc, char **argv)
{
	return observer_main(argc, argv, groups, LENGTH(groups));
}
