/* SPDX-License-Identifier: Apache-2.0 */
/* Which request tells how its connection was opened, and from when on. */
#include "join_scene.h"

#define SERVER 100u
#define CLIENT 200u

#define MOVE(wire, dir, literal) world_move(&world, wire, CLIENT, dir, literal, sizeof(literal) - 1)
#define READY "Z\0\0\0\5I"

static void answer(struct wire *wire, uint32_t tid)
{
	if (wire->conn.role == ROLE_SERVER)
		world_write(&world, wire, tid, OK);
	else
		world_read(&world, wire, tid, OK);
}

static void first_request_only(void **state)
{
	struct wire *out = client(CLIENT), *in = server(SERVER);

	(void)state;
	world_opened(&world, out, 20);
	for (int i = 0; i < 2; i++) {
		world_write(&world, out, CLIENT, GET("/a"));
		answer(out, CLIENT);
	}
	expect("client /a generated 1/2<0 opening=21..1;client /a generated 3/4<0;");
	world_opened(&world, in, 30);
	for (int i = 0; i < 2; i++) {
		world_read(&world, in, SERVER, GET("/b"));
		answer(in, SERVER);
	}
	expect("server /b generated 5/6<0 opening=31..1;server /b generated 7/8<0;");
	assert_int_equal(figures().openings, 0);
}

static void not_when_opened_ahead_of_time(void **state)
{
	struct wire *out = client(CLIENT), *last = client(CLIENT);

	(void)state;
	world_opened(&world, out, 20);
	world_pause(&world, 100); /* and the call makes it 101 */
	world_write(&world, out, CLIENT, GET("/a"));
	answer(out, CLIENT);
	expect("client /a generated 1/2<0;");
	world_opened(&world, last, 20);
	world_pause(&world, 99);
	world_write(&world, last, CLIENT, GET("/a"));
	answer(last, CLIENT);
	expect("client /a generated 3/4<0 opening=120..100;");
}

static void not_of_another_process(void **state)
{
	struct wire *out = client(CLIENT), *in = server(SERVER);

	(void)state;
	world_opened(&world, out, 20);
	out->tgid = CLIENT + 1;
	world_write(&world, out, CLIENT + 1, GET("/a"));
	answer(out, CLIENT + 1);
	expect("client /a generated 1/2<0;");
	world_opened(&world, in, 20); /* a server's may be served by a child of who accepted it */
	in->tgid = SERVER + 1;
	world_read(&world, in, SERVER + 1, GET("/b"));
	answer(in, SERVER + 1);
	expect("server /b generated 3/4<0 opening=21..1;");
}

/* What was opened before the request came was not opened for it. */
static void not_before_the_request_that_it_is_for(void **state)
{
	struct wire *in = server(SERVER), *early = client(SERVER), *due = client(SERVER);

	(void)state;
	world_opened(&world, early, 20);
	world_read(&world, in, SERVER, GET("/a"));
	world_write(&world, early, SERVER, GET("/b"));
	answer(early, SERVER);
	expect("client /b parent 1/3<2;");
	world_pause(&world, 20);
	world_opened(&world, due, 20);
	world_write(&world, due, SERVER, GET("/c"));
	answer(due, SERVER);
	expect("client /c parent 1/4<2 opening=21..1;");
	answer(in, SERVER);
	expect("server /a generated 1/2<0;");
}

/* A client's span begins with its connect, before the server's with the arrival. */
static void not_when_it_was_short(void **state)
{
	struct wire *out = client(CLIENT), *in = server(SERVER);

	(void)state;
	world_opened(&world, out, 0);
	world_write(&world, out, CLIENT, GET("/a"));
	answer(out, CLIENT);
	expect("client /a generated 1/2<0;");
	out = client(CLIENT);
	world_opened(&world, out, 1);
	world_write(&world, out, CLIENT, GET("/a"));
	answer(out, CLIENT);
	expect("client /a generated 3/4<0 opening=2..1;");
	world_opened(&world, in, 9);
	world_read(&world, in, SERVER, GET("/b"));
	answer(in, SERVER);
	expect("server /b generated 5/6<0;");
	in = server(SERVER);
	world_opened(&world, in, 10);
	world_read(&world, in, SERVER, GET("/b"));
	answer(in, SERVER);
	expect("server /b generated 7/8<0 opening=11..1;");
}

static void both_ends(void **state)
{
	struct wire *out = client(CLIENT);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	world_opened(&world, out, 20);
	world_write(&world, out, CLIENT, GET("/a"));
	world_pause(&world, 40);
	world_opened(&world, in, 41);
	world_read(&world, in, SERVER, GET("/a"));
	answer(in, SERVER);
	answer(out, CLIENT);
	expect("server /a parent 1/3<2 opening=42..1;client /a generated 1/2<0 opening=21..1;");
}

/* A server's does not begin before that of the client, who had nothing to ask until then, whichever is seen first. */
static void no_longer_than_the_client_waits(void **state)
{
	struct wire *out = client(CLIENT);
	struct wire *in = world_connect_to(&world, out, ROLE_SERVER, SERVER);

	(void)state;
	world_opened(&world, out, 0);
	world_pause(&world, 200);
	world_write(&world, out, CLIENT, GET("/a"));
	world_pause(&world, 40);
	world_opened(&world, in, 240);
	world_read(&world, in, SERVER, GET("/a"));
	answer(in, SERVER);
	answer(out, CLIENT);
	expect("server /a parent 1/3<2 opening=41..1;client /a generated 1/2<0;");
	out = client(CLIENT);
	in = world_connect_to(&world, out, ROLE_SERVER, SERVER);
	world_opened(&world, in, 10);
	world_read(&world, in, SERVER, GET("/b"));
	world_write(&world, out, CLIENT, GET("/b")); /* asked after it was accepted */
	answer(in, SERVER);
	answer(out, CLIENT);
	expect("server /b parent 4/6<5;client /b generated 4/5<0 from=1;");
}

static void passed_on_by_what_prepares(void **state)
{
	struct wire *out = client(CLIENT);

	(void)state;
	world_opened(&world, out, 20);
	MOVE(out, DIR_WRITE, "\0\0\0\22\0\3\0\0user\0me\0\0\0"); /* who comes */
	MOVE(out, DIR_READ, "R\0\0\0\10\0\0\0\0" READY);
	expect("");
	for (int i = 0; i < 2; i++) {
		MOVE(out, DIR_WRITE, "Q\0\0\0\15SELECT 1\0");
		MOVE(out, DIR_READ, "C\0\0\0\15SELECT 1\0" READY);
	}
	expect("client SELECT generated 1/2<0 opening=23..3;client SELECT generated 3/4<0;");
}

/* Connections that never ask leave their places to others; one that was still to be used is counted. */
static void places_are_bounded(void **state)
{
	struct join_figures all;

	(void)state;
	for (int i = 0; i < 3 * 4096; i++)
		world_opened(&world, client(CLIENT), 1);
	all = figures();
	assert_int_equal(all.openings_limit, 4096);
	assert_in_range(all.openings, 3000, 4096);
	assert_int_equal(all.openings_evicted, 3 * 4096 - all.openings);
	world_pause(&world, 101);
	for (int i = 0; i < 4096; i++)
		world_opened(&world, client(CLIENT), 1);
	assert_in_range(figures().openings_evicted - all.openings_evicted, 1, 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_request_only, setup, teardown),
		cmocka_unit_test_setup_teardown(not_when_opened_ahead_of_time, setup, teardown),
		cmocka_unit_test_setup_teardown(not_of_another_process, setup, teardown),
		cmocka_unit_test_setup_teardown(not_before_the_request_that_it_is_for, setup,
						teardown),

		cmocka_unit_test_setup_teardown(not_when_it_was_short, setup, teardown),
		cmocka_unit_test_setup_teardown(both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(no_longer_than_the_client_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(passed_on_by_what_prepares, setup, teardown),
		cmocka_unit_test_setup_teardown(places_are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
