/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for tests of what is told of one. */
#ifndef SONDE_TESTS_SAMPLE_REQUEST_H
#define SONDE_TESTS_SAMPLE_REQUEST_H

#include "export/span_record.h"

/* A GET that nginx, process 77 at 10.0.0.1:80, answered 10.0.0.2:4000 with 200, from 1000 to 3000 ns. Change what it points to,
 * and its members, at will. */
struct sample_request {
	struct request request;
	struct process process;
	struct conn_tuple tuple;
	struct span_identity span;
};
void sample_request_init(struct sample_request *sample);

#endif
