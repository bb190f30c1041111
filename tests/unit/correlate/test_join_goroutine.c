/* SPDX-License-Identifier: Apache-2.0 */
/* Goroutines: which of them a call belongs to, whatever thread they run on. */
#include "join_scene.h"

#define APP 100u /* a process, and its first thread */
#define ONE 101u /* its other threads */
#define TWO 102u
#define PROOFS 32 /* requests of several at once that are seen to stay with their goroutine */

#define GO(number) (GOROUTINE_BIT | (number))
#define NOBODY 0u
#define READER 8u /* net/http reads all answers of a connection in a goroutine */

static struct wire *in[2], *out[2];

static int open_scene(void **state)
{
	int error = setup(state);

	for (size_t i = 0; !error && i < 2; i++) {
		in[i] = server(APP);
		out[i] = client(APP);
	}
	return error;
}

static void read_by(struct wire *wire, uint32_t tid, uint32_t goroutine, const char *bytes)
{
	world_go(&world, wire, tid, goroutine, NOBODY);
	world_read(&world, wire, tid, bytes);
}

static void write_by(struct wire *wire, uint32_t tid, uint32_t goroutine, const char *bytes)
{
	world_go(&world, wire, tid, goroutine, NOBODY);
	world_write(&world, wire, tid, bytes);
}

/* Two goroutines on two threads, which they change. */
static void read_both(void)
{
	read_by(in[0], ONE, GO(1), GET("/a"));
	read_by(in[1], ONE, GO(2), GET("/b"));
}

static void answer_both(void)
{
	write_by(in[0], ONE, GO(1), OK);
	write_by(in[1], TWO, GO(2), OK);
}

static void prove(void)
{
	for (int i = 0; i < PROOFS; i++) {
		read_both();
		write_by(out[0], TWO, GO(1), GET("/for-a"));
		read_by(out[0], TWO, GO(READER), OK);
		write_by(out[1], TWO, GO(2), GET("/for-b"));
		read_by(out[1], TWO, GO(READER), OK);
		answer_both();
	}
	world.log_bytes = 0;
	world.log[0] = '\0';
}

static bool is_told(const char *part)
{
	return strstr(world.log, part) != NULL;
}

static void changes_threads(void **state)
{
	(void)state;
	prove();
	read_both();
	write_by(out[1], ONE, GO(2), GET("/for-b"));
	read_by(out[1], TWO, GO(READER), OK);
	write_by(out[0], ONE, GO(1), GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-a parent"));
	assert_true(is_told("client /for-b parent"));
	assert_int_equal(figures().ambiguous, PROOFS);
}

/* net/http: a goroutine for each connection writes what others ask for. */
static void asks_for_another(void **state)
{
	(void)state;
	prove();
	read_both();
	world_go(&world, out[0], TWO, GO(9), GO(2));
	world_write(&world, out[0], TWO, GET("/for-b"));
	read_by(out[0], ONE, GO(READER), OK);
	world_go(&world, out[0], TWO, GO(9), NOBODY); /* it does not wait yet */
	world_write(&world, out[0], TWO, GET("/for-a"));
	read_by(out[0], ONE, GO(READER), OK);
	world_go(&world, out[0], TWO, GO(9), GO(7)); /* who works on no request */
	world_write(&world, out[0], TWO, GET("/for-none"));
	read_by(out[0], ONE, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-b parent"));
	world_pause(&world, 300);
	assert_false(is_told("client /for-a parent"));
	assert_false(is_told("client /for-none parent"));
}

/* Its own work comes first: somebody may wait for it. */
static void works_itself(void **state)
{
	(void)state;
	prove();
	read_both();
	world_go(&world, out[0], TWO, GO(1), GO(2));
	world_write(&world, out[0], TWO, GET("/for-a"));
	read_by(out[0], ONE, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-a parent e1/e3<e2"));
}

/* net/http waits for the end of the connection in another goroutine, which finds the next request. */
static void begins_with_another(void **state)
{
	(void)state;
	prove();
	read_by(in[0], ONE, GO(5), "G");
	read_by(in[1], ONE, GO(2), GET("/b"));
	write_by(out[1], TWO, GO(5), GET("/for-none")); /* that one is another one's by now */
	read_by(out[1], TWO, GO(READER), OK);
	read_by(in[0], ONE, GO(1), "ET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	write_by(out[0], TWO, GO(1), GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-a parent"));
	world_pause(&world, 300);
	assert_false(is_told("client /for-none parent"));
}

/* Before its goroutines were found it was seen to answer with other threads than read. */
static void found_late(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		world_read(&world, in[0], ONE, GET("/a"));
		world_read(&world, in[1], ONE, GET("/b"));
		world_write(&world, in[0], TWO, OK);
		world_write(&world, in[1], TWO, OK);
	}
	world_read(&world, in[0], ONE, GET("/a"));
	world_read(&world, in[1], ONE, GET("/b"));
	answer_both();
	prove();
	read_both();
	write_by(out[0], ONE, GO(1), GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-a parent"));
}

/* Another one answers: nothing is sure of the process any more. */
static void hands_over(void **state)
{
	(void)state;
	prove();
	read_both();
	write_by(in[0], ONE, GO(3), OK);
	write_by(in[1], TWO, GO(2), OK);
	read_both();
	write_by(out[0], ONE, GO(1), GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	assert_false(is_told("client /for-a parent"));
	assert_int_equal(figures().ambiguous, PROOFS + 1);
}

/* A process has as many as another one, with the same numbers. */
static void of_other_processes(void **state)
{
	struct wire *other_in = server(200), *other_out = client(200);

	(void)state;
	prove();
	read_both();
	read_by(other_in, 200, GO(1), GET("/other"));
	write_by(other_out, 200, GO(1), GET("/for-other"));
	read_by(other_out, 200, GO(1), OK);
	write_by(other_in, 200, GO(1), OK);
	write_by(out[0], ONE, GO(1), GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	assert_true(is_told("client /for-other parent"));
	assert_true(is_told("client /for-a parent"));
	assert_int_equal(figures().ambiguous, PROOFS);
}

/* Only for the read or write it came with: of that connection, thread and time. */
static void not_of_another_call(void **state)
{
	(void)state;
	prove();
	read_both();
	world_go(&world, out[0], TWO, GO(1), NOBODY);
	world_pause(&world, 1);
	world_write(&world, out[0], TWO, GET("/for-a"));
	read_by(out[0], TWO, GO(READER), OK);
	answer_both();
	world_pause(&world, 300);
	assert_false(is_told("client /for-a parent"));
	assert_int_equal(figures().goroutines_evicted, 0);
	for (size_t i = 0; i < 1000; i++)
		world_go(&world, client(APP), TWO, GO(1), NOBODY);
	assert_true(figures().goroutines_evicted > 500);
}

static void nobody_wants_spans(void **state)
{
	(void)state;
	world_close(&world);
	assert_int_equal(world_open(&world, false), 0);
	in[0] = server(APP);
	read_by(in[0], ONE, GO(1), GET("/a"));
	write_by(in[0], ONE, GO(1), OK);
	assert_int_equal(figures().goroutines_evicted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_threads, open_scene, teardown),
		cmocka_unit_test_setup_teardown(asks_for_another, open_scene, teardown),
		cmocka_unit_test_setup_teardown(works_itself, open_scene, teardown),
		cmocka_unit_test_setup_teardown(begins_with_another, open_scene, teardown),
		cmocka_unit_test_setup_teardown(found_late, open_scene, teardown),
		cmocka_unit_test_setup_teardown(hands_over, open_scene, teardown),
		cmocka_unit_test_setup_teardown(of_other_processes, open_scene, teardown),
		cmocka_unit_test_setup_teardown(not_of_another_call, open_scene, teardown),
		cmocka_unit_test_setup_teardown(nobody_wants_spans, open_scene, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
