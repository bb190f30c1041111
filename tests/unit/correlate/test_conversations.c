/* SPDX-License-Identifier: Apache-2.0 */
/* Whole conversations, as one call a step and split at every byte: the reports must be the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"
#include "script.h"

#define GET "GET /a/17?q=1 HTTP/1.1\r\nHost: x\r\n\r\n"
#define GOT "server GET /a/17 200 1.1 [ok;"
#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define POST "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
#define OOPS "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"
#define POSTED "server POST /p 500 1.1 error=500 body=3/2 [ok;"
#define OK_1200 "HTTP/1.1 200 OK\r\nContent-Length: 1200\r\n\r\n" LONG_1200
#define LONG_100                                             \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LONG_1200                                                                                 \
	LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 LONG_100 \
		LONG_100 LONG_100

struct conversation {
	const char *name;
	enum conn_role role;
	uint8_t flags;
	uint8_t close_flags;
	bool is_open_at_end;  /* expected without the close */
	bool is_split_unlike; /* splitting changes what is captured, and with it the report */
	bool with_bodies;
	bool is_kernel_deaf; /* it goes on as it began, whatever the engine asks */
	struct step steps[12];
	const char *expected;
};

#define SERVER .role = ROLE_SERVER
#define CLIENT .role = ROLE_CLIENT

static const struct conversation conversations[] = {
	{ "one request", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', GET }, { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "client", CLIENT, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'W', GET }, { 'R', OK_HELLO } },
	  .expected = "client GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "keep-alive", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = GOT GOT GOT },
	{ "the same again", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', POST },
		     { 'W', OOPS },
		     { 'R', POST },
		     { 'W', OOPS },
		     { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', POST },
		     { 'W', OOPS } },
	  .expected = POSTED POSTED "server GET /a/17 200 1.1 body=0/5 [ok;" POSTED },
	{ "the same again, made", CLIENT, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'W', GET },
		     { 'R', OK_HELLO },
		     { 'W', GET },
		     { 'R', OK_HELLO },
		     { 'W', GET },
		     { 'R', OK_HELLO } },
	  .expected = "client GET /a/17 200 1.1 body=0/5 [ok;"
		      "client GET /a/17 200 1.1 body=0/5 [ok;"
		      "client GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "the same again, to HEAD", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', "HEAD / HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 200 1.1 body=0/5 [ok;"
		      "server HEAD / 200 1.1 body=0/0 [ok;head;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "the same again, more than is captured", SERVER, .with_bodies = true,
	  .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_1200 },
		     { 'R', GET },
		     { 'W', OK_1200 },
		     { 'R', GET },
		     { 'W', OK_1200 } },
	  .expected = "server GET /a/17 200 1.1 body=0/1200 [ok;"
		      "server GET /a/17 200 1.1 body=0/1200 [ok;"
		      "server GET /a/17 200 1.1 body=0/1200 [ok;" },
	{ "the same again, in two calls", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" },
		     { 's', NULL, 5 },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 200 1.1 body=0/5 [ok;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "the same again, two at once", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .is_split_unlike = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', GET GET },
		     { 'W', OK_HELLO OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 200 1.1 body=0/5 [ok;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;pipelined;"
		      "server GET /a/17 200 1.1 body=0/5 [ok;" },
	{ "HTTP/1.0 until close", SERVER, .with_bodies = true,
	  .steps = { { 'R', "GET / HTTP/1.0\r\n\r\n" },
		     { 'W', "HTTP/1.0 200 OK\r\n\r\n" },
		     { 'W', "some body" } },
	  .expected = "server GET / 200 1.0 body=0/9 [ok;" },
	{ "until close, half-closed", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "GET / HTTP/1.0\r\n\r\n" },
		     { 'W', "HTTP/1.0 200 OK\r\n\r\n" },
		     { 'W', "some body" },
		     { 'h' } },
	  .expected = "server GET / 200 1.0 [ok;" },
	{ "bare line feeds and empty lines", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "\r\nGET   /  HTTP/1.1 \nHost: x\n\n" },
		     { 'W', "HTTP/1.1 200\nContent-Length:0\n\n" } },
	  .expected = "server GET / 200 1.1 [ok;" },
	{ "no role, read first", .role = ROLE_UNKNOWN, .is_open_at_end = true,
	  .steps = { { 'R', GET }, { 'W', OK_HELLO } }, .expected = GOT },
	{ "no role, written first", .role = ROLE_UNKNOWN, .is_open_at_end = true,
	  .steps = { { 'W', GET }, { 'R', OK_HELLO } },
	  .expected = "client GET /a/17 200 1.1 [ok;" },
	{ "body in the request", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', "POST /p HTTP/1.1\r\nContent-Length: 10\r\n\r\n" },
		     { 'R', "0123456789" },
		     { 'W', OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected =
		  "server POST /p 200 1.1 body=10/0 [ok;server GET /a/17 200 1.1 body=0/0 [ok;" },
	{ "long body by sendfile", SERVER, .with_bodies = true, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" },
		     { 's', NULL, 60000000 },
		     { 's', NULL, 40000000 },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected =
		  "server GET /a/17 200 1.1 body=0/100000000 [ok;server GET /a/17 200 1.1 body=0/0 [ok;" },
	{ "idle after sendfile", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n" },
		     { 's', NULL, 7000 },
		     { 't', NULL, 400 } },
	  .expected = GOT },
	{ "unfinished by sendfile", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n" },
		     { 's', NULL, 6999 },
		     { 't', NULL, 20000 } },
	  .expected = "" },
	{ "chunked", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W',
		       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" } },
	  .expected = GOT },
	{ "chunked with extension and trailers", SERVER,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n"
			    "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n" },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = GOT GOT },
	{ "chunks in calls of their own", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
		     { 'W', "5\r\nhello\r\n" },
		     { 't', NULL, 3000 },
		     { 'W', "0\r\n\r\n" },
		     { 't', NULL, 900 } },
	  .expected = GOT },
	{ "chunked, then the next request", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
		     { 's', NULL, 5000 },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = GOT GOT },
	{ "chunks unseen, idle", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
		     { 's', NULL, 5000 },
		     { 't', NULL, 12000 } },
	  .expected = GOT },
	{ "chunks unseen, not idle for long", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" },
		     { 's', NULL, 5000 },
		     { 't', NULL, 8000 } },
	  .expected = "" },
	{ "chunked request", SERVER, .with_bodies = true,
	  .steps = { { 'R',
		       "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true, .expected = "server POST /p 200 1.1 body=3/0 [ok;" },
	{ "expects 100", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "PUT /u HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n" },
		     { 'W', "HTTP/1.1 100 Continue\r\n\r\n" },
		     { 'R', "data" },
		     { 'W', OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = "server PUT /u 200 1.1 [ok;interim;" GOT },
	{ "expects 100, refused, next request", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "PUT /u HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n" },
		     { 'W', "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n" },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = "server PUT /u 417 1.1 [ok;early_response;" GOT },
	{ "early response, rest of the body later", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "PUT /u HTTP/1.1\r\nContent-Length: 15\r\n\r\nlorem" },
		     { 'W', "HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n" },
		     { 'R', " ipsum sit" GET },
		     { 'W', OK_EMPTY } },
	  .expected = "server PUT /u 413 1.1 [ok;early_response;" GOT },
	{ "early hints", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_HELLO } },
	  .expected = "server GET /a/17 200 1.1 [ok;interim;" },
	{ "HEAD", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "HEAD / HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server HEAD / 200 1.1 [ok;head;" GOT },
	{ "204 and 304", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 204 No\r\n\r\n" },
		     { 'R', GET },
		     { 'W', "HTTP/1.1 304 Same\r\nContent-Length: 12\r\n\r\n" },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 204 1.1 [ok;server GET /a/17 304 1.1 [ok;" GOT },
	{ "upgrade", SERVER, .is_open_at_end = true,
	  .steps = { { 'R',
		       "GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" },
		     { 'W', "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n" },
		     { 'R', "\x81\x05hello" },
		     { 'W', "\x81\x01x" } },
	  .expected = "server GET /ws 101 1.1 [ok;upgrade;websocket received text 5;"
		      "websocket sent text 1;" },
	{ "websocket until it is closed", CLIENT,
	  .steps = { { 'W', "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" },
		     { 'R', "HTTP/1.1 101 Switching\r\nupgrade:  WebSocket \r\n\r\n\x01\x01x" },
		     { 'W', "\x89\x84....abcd" },
		     { 'R', "\x8a\x04"
			    "abcd\x80\x02yz\x88\x02\x03\xe9" },
		     { 'W', "\x88\x82....\x2d\xc7" } },
	  .expected = "client GET /ws 101 1.1 [ok;upgrade;websocket sent ping 4;"
		      "websocket received pong 4;websocket received text 3;"
		      "websocket received close 2;websocket sent close 2;"
		      "tunnel websocket over 17/18 1001;" },
	{ "websocket whose header is not seen", SERVER,
	  .steps = { { 'R', "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" },
		     { 'W', "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n" },
		     { 'R', "\x81\x05hello" },
		     { 's', NULL, 9 },
		     { 'W', "\x81\x01x" } },
	  .expected = "server GET /ws 101 1.1 [ok;upgrade;websocket received text 5;"
		      "server - - - - partial [lost;tunnel websocket over 7/12 1006;" },
	{ "websocket that is none", SERVER,
	  .steps = { { 'R', "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n" },
		     { 'W', "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n" },
		     { 'R', "\x83\x05hello" },
		     { 'W', "\x81\x01x" } },
	  .expected = "server GET /ws 101 1.1 [ok;upgrade;malformed;"
		      "tunnel websocket over 7/3 1006;" },
	{ "upgrade to something else", SERVER,
	  .steps = { { 'R', "GET /x HTTP/1.1\r\nUpgrade: xyz\r\n\r\n" },
		     { 'W', "HTTP/1.1 101 Switching\r\nUpgrade: xyz\r\n\r\nhi" },
		     { 'R', "hello" } },
	  .expected = "server GET /x 101 1.1 [ok;upgrade;tunnel other over 5/2;" },
	{ "tunnel after other requests", SERVER,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'R', "CONNECT example.com:443 HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 200 Established\r\n\r\n" },
		     { 'R', "\x16\x03\x01" },
		     { 's', NULL, 100000 } },
	  .expected = GOT "server CONNECT - 200 1.1 [ok;connect;tunnel connect over 3/100000;" },
	{ "tunnel on a connection from before", SERVER, .flags = CONN_PREEXISTING,
	  .steps = { { 'R', "CONNECT example.com:443 HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 200 Established\r\n\r\n" },
		     { 'R', "\x16\x03\x01" } },
	  .expected = "server CONNECT - 200 1.1 [ok;connect;tunnel connect over 0/0;partial;" },
	{ "upload given up", SERVER,
	  .steps = { { 'R', "POST /p HTTP/1.1\r\nContent-Length: 10\r\n\r\n012" } },
	  .expected = "server POST /p - 1.1 error=request_cut [request_cut;" },
	{ "upload given up by the client", CLIENT, .close_flags = CONN_RESET_RECEIVED,
	  .steps = { { 'W', "POST /p HTTP/1.1\r\nContent-Length: 10\r\n\r\n012" } },
	  .expected = "client POST /p - 1.1 error=reset [request_cut;" },
	{ "tunnel", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "CONNECT example.com:443 HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 200 Established\r\n\r\n" },
		     { 'R', "\x16\x03\x01" } },
	  .expected = "server CONNECT - 200 1.1 [ok;connect;" },
	{ "tunnel refused", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "CONNECT example.com:443 HTTP/1.1\r\n\r\n" },
		     { 'W', "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno" },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = "server CONNECT - 403 1.1 [ok;" GOT },
	{ "pipelined", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET "GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.0\r\n\r\n" },
		     { 'W', OK_HELLO OK_EMPTY OK_HELLO } },
	  .is_split_unlike = true, /* a read that ends with an empty line ends the capture */
	  .expected =
		  GOT "server GET /b 200 1.1 [ok;pipelined;server GET /c 200 1.0 [ok;pipelined;" },
	{ "pipelined, long answers", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET "GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.0\r\n\r\n" },
		     { 'W', OK_HELLO OK_1200 OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true,
	  .expected = GOT "server GET /b 200 1.1 [ok;pipelined;"
			  "server GET /c 200 1.0 [ok;pipelined;" GOT },
	{ "pipelined, answers not all captured", SERVER, .is_open_at_end = true,
	  .is_kernel_deaf = true,
	  .steps = { { 'R', GET "GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.0\r\n\r\n" },
		     { 'W', OK_HELLO "HTTP/1.1 200 OK\r\nX: " LONG_1200 "\r\n\r\n" OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true,
	  .expected = GOT "server GET /b 200 1.1 [ok;header_truncated;pipelined;"
			  "server GET /c - 1.0 partial [pipelined;lost;" GOT },
	{ "absolute target", CLIENT, .is_open_at_end = true,
	  .steps = { { 'W', "GET http://example.com:80/x/y?z HTTP/1.1\r\n\r\n" },
		     { 'R', OK_EMPTY },
		     { 'W', "GET http://example.com HTTP/1.1\r\n\r\n" },
		     { 'R', OK_EMPTY },
		     { 'W', "OPTIONS * HTTP/1.1\r\n\r\n" },
		     { 'R', OK_EMPTY } },
	  .expected =
		  "client GET /x/y 200 1.1 [ok;client GET / 200 1.1 [ok;client OPTIONS * 200 1.1 [ok;" },
	{ "unknown method", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "PROPFIND / HTTP/1.1\r\n\r\n" }, { 'W', OK_EMPTY } },
	  .expected = "server _OTHER / 200 1.1 [ok;" },
	{ "errors of a server", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
		     { 'R', GET },
		     { 'W', "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" } },
	  .expected = "server GET /a/17 404 1.1 [ok;server GET /a/17 503 1.1 error=503 [ok;" },
	{ "errors of a client", CLIENT, .is_open_at_end = true,
	  .steps = { { 'W', GET }, { 'R', "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" } },
	  .expected = "client GET /a/17 404 1.1 error=404 [ok;" },
	{ "answer cut", SERVER,
	  .steps = { { 'R', GET }, { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" } },
	  .expected = "server GET /a/17 200 1.1 error=response_cut [response_cut;" },
	{ "answer cut by a reset", SERVER, .close_flags = CONN_RESET_RECEIVED,
	  .steps = { { 'R', GET }, { 'W', "HTTP/1.0 200 OK\r\n\r\nhello" } },
	  .expected = "server GET /a/17 200 1.1 error=reset [response_cut;" },
	{ "answer cut by the reader's reset", CLIENT, .close_flags = CONN_RESET_SENT,
	  .steps = { { 'W', GET }, { 'R', "HTTP/1.0 200 OK\r\n\r\nhello" } },
	  .expected = "client GET /a/17 200 1.1 error=response_cut [response_cut;" },
	{ "a reset after the answer's end", CLIENT,
	  .close_flags = CONN_RESET_SENT | CONN_PEER_ENDED,
	  .steps = { { 'W', GET }, { 'R', "HTTP/1.0 200 OK\r\n\r\nhello" } },
	  .expected = "client GET /a/17 200 1.1 [ok;" },
	{ "server without answer", SERVER, .steps = { { 'R', GET } }, .expected = "no_response;" },
	{ "client without answer", CLIENT, .steps = { { 'W', GET } },
	  .expected = "client GET /a/17 - 1.1 error=no_response [no_response;" },
	{ "client without answer, reset", CLIENT, .close_flags = CONN_RESET_RECEIVED,
	  .steps = { { 'W', GET } },
	  .expected = "client GET /a/17 - 1.1 error=reset [no_response;" },
	{ "half a request", SERVER, .steps = { { 'R', "GET / HTTP/1.1\r\nHost" } },
	  .expected = "no_response;" },
	{ "half a request, answered", SERVER,
	  .steps = { { 'R', "GET / HTTP/1.1\r\nHost" },
		     { 'W', "HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n" } },
	  .expected = "early_response;" },
	{ "redis", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "*1\r\n$4\r\nPING\r\n" }, { 'W', "+PONG\r\n" } },
	  .expected = "server - - - - PING [ok;" },
	{ "redis, client, an error", CLIENT, .is_open_at_end = true,
	  .steps = { { 'W', "*2\r\n$4\r\nINCR\r\n$1\r\nk\r\n" },
		     { 'R', "-WRONGTYPE Operation against a key\r\n" } },
	  .expected = "client - - - - INCR error=WRONGTYPE [ok;" },
	{ "redis, a pipeline, both sides at once", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nG" },
		     { 'W', "+PONG\r\n$5\r\n+OK\r" },
		     { 'R', "ET\r\n$1\r\nb\r\n" },
		     { 'W', "\n\r\n$-1\r\n" } },
	  .expected = "server - - - - PING [ok;server - - - - GET [ok;pipelined;"
		      "server - - - - GET [ok;pipelined;" },
	{ "redis, a value that looks like a request where a turn begins", SERVER,
	  .is_open_at_end = true,
	  .steps = { { 'R', "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n$4\r\nPING\r\n" },
		     { 'W', "$12\r\nab" },
		     { 'R', "*1\r\n$4\r\nPING\r\n" },
		     { 'W', "*1\r\n$4\r\nPI\r\n+PONG\r\n+PONG\r\n" } },
	  .expected = "server - - - - GET [ok;server - - - - PING [ok;pipelined;"
		      "server - - - - PING [ok;pipelined;" },
	{ "redis, a turn beyond 4 GiB", SERVER, .is_open_at_end = true, .is_split_unlike = true,
	  .steps = { { 'R', "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5000000000\r\n" },
		     { 'u', .number = 5000000000 },
		     { 'R', "\r\n*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+OK\r\n+PONG\r\n" } },
	  .expected = "server - - - - SET [ok;server - - - - PING [ok;pipelined;" },
	{ "redis, a call across 4 GiB", SERVER, .is_open_at_end = true, .is_split_unlike = true,
	  .steps = { { 'R', "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4294967258\r\n" },
		     { 'u', .number = 4294967258 },
		     { 'R', "\r\n*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+OK\r\n+PONG\r\n" } },
	  .expected = "server - - - - SET [ok;server - - - - PING [ok;pipelined;" },
	{ "redis, answered before its value was read", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "*2\r\n$3\r\nGET\r\n$12\r\nab" },
		     { 'W', "-ERR no\r\n" },
		     { 'R', "*1\r\n$4\r\nPI\r\n*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+PONG\r\n" } },
	  .expected = "server - - - - GET error=ERR [ok;early_response;server - - - - PING [ok;" },
	{ "redis, a value not captured", SERVER, .is_open_at_end = true, .is_split_unlike = true,
	  .steps = { { 'R', "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$70000\r\nx" },
		     { 'u', .number = 69999 },
		     { 'R', "\r\n*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+OK\r\n+PONG\r\n" } },
	  .expected = "server - - - - SET [ok;server - - - - PING [ok;pipelined;" },
	{ "redis, a hole where a request begins", SERVER, .is_open_at_end = true,
	  .is_split_unlike = true,
	  .steps = { { 'R', "*1\r\n$4\r\nPING\r\n" },
		     { 'u', .number = 14 },
		     { 'R', "*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+PONG\r\n+PONG\r\n+PONG\r\n" },
		     { 'R', "*1\r\n$6\r\nDBSIZE\r\n" },
		     { 'W', ":5\r\n" } },
	  .expected = "server - - - - PING partial [lost;server - - - - partial [lost;"
		      "server - - - - DBSIZE [ok;" },
	{ "redis, begun before", SERVER, .flags = CONN_PREEXISTING, .is_open_at_end = true,
	  .is_split_unlike = true,
	  .steps = { { 'W', "+OK\r\n:1\r\n" },
		     { 'R', "*1\r\n$4\r\nPING\r\n" },
		     { 'W', "+PONG\r\n" } },
	  .expected = "server - - - - partial [partial;server - - - - PING [ok;" },
	{ "older: whose side was guessed wrong", .role = ROLE_UNKNOWN, .flags = CONN_PREEXISTING,
	  .is_open_at_end = true,
	  .steps = { { 'R', "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n" }, /* in a body */
		     { 'W', GET },
		     { 'R', OK_HELLO } },
	  .expected = "malformed;client GET /a/17 200 1.1 [ok;" },
	{ "redis, answers off", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n"
			    "*1\r\n$4\r\nPING\r\n*1\r\n$6\r\nDBSIZE\r\n" },
		     { 'W', ":5\r\n" } },
	  .expected = "one_way;one_way;server - - - - DBSIZE [ok;" },
	{ "redis, a subscriber", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "*3\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n$1\r\nb\r\n" },
		     { 'W', "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n"
			    "$1\r\nb\r\n:2\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n" },
		     { 'R', "*1\r\n$11\r\nUNSUBSCRIBE\r\n" },
		     { 'W',
		       "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n"
		       "$1\r\nb\r\n:0\r\n" },
		     { 'R', "*3\r\n$6\r\nLRANGE\r\n$1\r\na\r\n$1\r\n0\r\n" },
		     { 'W', "*1\r\n$7\r\nmessage\r\n" } },
	  .expected = "server - - - - SUBSCRIBE [ok;push;push;server - - - - UNSUBSCRIBE [ok;push;"
		      "server - - - - LRANGE [ok;" },
	{ "redis, MONITOR", SERVER, .is_open_at_end = true, .is_split_unlike = true,
	  .steps = { { 'R', "*1\r\n$7\r\nMONITOR\r\n" },
		     { 'W', "+OK\r\n" },
		     { 'W', "+1 [0 127.0.0.1:1] \"ping\"\r\n" } },
	  .expected = "server - - - - MONITOR [ok;feed;" },
	{ "ssh", CLIENT, .is_open_at_end = true,
	  .steps = { { 'R', "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" }, { 'W', "SSH-2.0-x\r\n" } },
	  .expected = "not_recognised;" },
	{ "mail", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "noop\r\nquit\r\n" }, { 'W', "250 OK\r\n" } },
	  .expected = "not_recognised;" },
	{ "HTTP/0.9", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "GET /\r\n" }, { 'W', "hello" } }, .expected = "not_recognised;" },
	{ "HTTP/2", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" } }, .expected = "" },
	{ "not quite HTTP/2", SERVER, .is_open_at_end = true, .is_split_unlike = true,
	  .steps = { { 'R', "PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n" } }, .expected = "not_recognised;" },
	{ "tls", SERVER, .is_open_at_end = true, .steps = { { 'R', "\x16\x03\x01\x02" } },
	  .expected = "not_recognised;" },
	{ "bad length", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" },
		     { 'W', OK_EMPTY },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .expected = "malformed;" GOT },
	{ "a length too long", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n" },
		     { 'W', OK_EMPTY } },
	  .expected = "malformed;" },
	{ "unknown coding of a request", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n" } },
	  .expected = "malformed;" },
	{ "bad chunk", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n" } },
	  .is_split_unlike = true, .expected = "malformed;" },
	{ "answer to nothing", SERVER, .is_open_at_end = true,
	  .steps = { { 'W', OK_HELLO }, { 'R', GET }, { 'W', OK_HELLO } },
	  .expected = "unmatched_response;" GOT },
	{ "older: begins with an answer", .role = ROLE_UNKNOWN, .flags = CONN_PREEXISTING,
	  .is_open_at_end = true, .steps = { { 'W', OK_HELLO }, { 'R', GET }, { 'W', OK_HELLO } },
	  .expected = "server - - 200 1.1 partial [partial;" GOT },
	{ "older: begins inside a body", SERVER, .flags = CONN_PREEXISTING, .is_open_at_end = true,
	  .steps = { { 'R', "{\"some\": \"json\"}" },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = "server - - 200 1.1 partial [partial;" GOT },
	{ "older: begins inside an answer", SERVER, .flags = CONN_PREEXISTING,
	  .is_open_at_end = true,
	  .steps = { { 'W', "{\"some\": \"json\"}" }, { 'R', GET }, { 'W', OK_HELLO } },
	  .expected = "server - - - - partial [partial;" GOT },
	{ "older: begins with a request", .role = ROLE_UNKNOWN, .flags = CONN_PREEXISTING,
	  .is_open_at_end = true, .steps = { { 'R', GET }, { 'W', OK_HELLO } }, .expected = GOT },
	{ "a long request head", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "GET /l HTTP/1.1\r\nCookie: " LONG_1200 "\r\n\r\n" },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true, .expected = "server GET /l 200 1.1 [ok;header_truncated;" GOT },
	{ "a long target", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', "GET /l?" LONG_1200 " HTTP/1.1\r\n\r\n" },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true, .expected = "server GET /l 200 1.1 [ok;header_truncated;" GOT },
	{ "a long request head, then 100", SERVER, .is_open_at_end = true,
	  .steps = { { 'R',
		       "PUT /l HTTP/1.1\r\nCookie: " LONG_1200 "\r\nExpect: 100-continue\r\n\r\n" },
		     { 'W', "HTTP/1.1 100 Continue\r\n\r\n" },
		     { 'R', "what is no request" },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true,
	  .expected = "server PUT /l 200 1.1 [ok;header_truncated;interim;" GOT },
	{ "a long answer head, next request", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nX: " LONG_1200 "\r\n\r\nhello" },
		     { 'R', GET },
		     { 'W', OK_EMPTY } },
	  .is_split_unlike = true,
	  .expected = "server GET /a/17 200 1.1 [ok;header_truncated;" GOT },
	{ "a long answer head with length, idle", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W',
		       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " LONG_1200 "\r\n\r\nhello" },
		     { 't', NULL, 900 } },
	  .is_split_unlike = true, .expected = "server GET /a/17 200 1.1 [ok;header_truncated;" },
	{ "a long upgrade", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 101 Up\r\nX: " LONG_1200 "\r\n\r\n" },
		     { 'R', "\x81\x82" } },
	  .is_split_unlike = true,
	  .expected = "server GET /a/17 101 1.1 [ok;header_truncated;upgrade;" },
	{ "request unseen", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', OK_HELLO },
		     { 'u', NULL, 50 },
		     { 'W', OK_HELLO },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected = GOT "server - - 200 1.1 partial [lost;" GOT },
	{ "answer unseen", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET }, { 's', NULL, 50 }, { 'R', GET }, { 'W', OK_HELLO } },
	  .expected = "server GET /a/17 - 1.1 partial [lost;" GOT },
	{ "bytes missed inside an answer", SERVER, .is_open_at_end = true,
	  .steps = { { 'R', GET },
		     { 'W', "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello" },
		     { 'R', GET },
		     { 'W', OK_HELLO } },
	  .expected =
		  "server GET /a/17 200 1.1 partial [lost;server GET /a/17 200 1.1 [ok;pipelined;" },
};

#define CONVERSATIONS (sizeof(conversations) / sizeof(conversations[0]))
#define NO_SPLIT 1000

/* Exactly what is expected, before the close unless that is asked about. */
static void check(const struct conversation *conversation, size_t split_step, size_t split_at)
{
	static struct script script;

	assert_int_equal(script_open(&script, NULL), 0);
	script.with_bodies = conversation->with_bodies;
	script.is_deaf = conversation->is_kernel_deaf;
	script_connect(&script, conversation->role, conversation->flags);
	script_run(&script, conversation->steps, split_step, split_at);
	if (!conversation->is_open_at_end)
		script_hang_up(&script, conversation->close_flags);
	script_tick(&script, 1000);
	if (strcmp(script.log, conversation->expected) != 0) {
		print_error("%s (step %zu split at %zu):\n  got      %s\n  expected %s\n",
			    conversation->name, split_step, split_at, script.log,
			    conversation->expected);
		fail();
	}
	if (script.is_open)
		script_hang_up(&script, 0);
	script_close(&script);
}

static void reports_whole_conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		check(&conversations[i], NO_SPLIT, 0);
}

static void reports_the_same_however_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++) {
		const struct step *steps = conversations[i].steps;

		for (size_t step = 0; steps[step].what && !conversations[i].is_split_unlike; step++)
			for (size_t at = 1; steps[step].text && at < strlen(steps[step].text); at++)
				check(&conversations[i], step, at);
	}
}

static void reports_the_same_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONVERSATIONS; i++)
		if (!conversations[i].is_split_unlike)
			check(&conversations[i], NO_SPLIT, SCRIPT_BY_BYTE);
}

/* What was open before may be in the middle of a message: 64 turns are looked at before it is given up. */
static void gives_up_an_older_connection_late(void **state)
{
	static const struct step unknown[] = {
		{ .what = 'R', .text = "\x11\x12\x13\xff" },
		{ .what = 'W', .text = "\x11\x12\x13\xff" },
		{ .what = 0 },
	};
	static struct script script;

	(void)state;
	assert_int_equal(script_open(&script, NULL), 0);
	script_connect(&script, ROLE_UNKNOWN, CONN_PREEXISTING);
	for (size_t i = 0; i < 31; i++)
		script_run(&script, unknown, NO_SPLIT, 0);
	script_tick(&script, 1000);
	assert_string_equal(script.log, "");
	script_run(&script, unknown, NO_SPLIT, 0);
	script_tick(&script, 1000);
	assert_string_equal(script.log, "not_recognised;");
	script_hang_up(&script, 0);
	script_close(&script);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_whole_conversations),
		cmocka_unit_test(reports_the_same_however_split),
		cmocka_unit_test(reports_the_same_byte_by_byte),
		cmocka_unit_test(gives_up_an_older_connection_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
