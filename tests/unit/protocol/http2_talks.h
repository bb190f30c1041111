/* SPDX-License-Identifier: Apache-2.0 */
/* What clients and servers of HTTP/2 said: nghttp, curl 7.88 and h2load with nginx 1.22, nghttp with nghttpd 1.52, grpcio 1.51. */
#ifndef SONDE_TESTS_HTTP2_TALKS_H
#define SONDE_TESTS_HTTP2_TALKS_H

#include "pairing.h"

extern const struct said http2_nghttp[];
extern const struct said http2_curl[];
extern const struct said http2_h2load[];
extern const struct said http2_nghttpd[];
extern const struct said http2_grpc[];

#endif
