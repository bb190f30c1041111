/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that failed while a request was handled. For the files of this room. */
#ifndef SONDE_CORRELATE_THREAD_ERRORS_H
#define SONDE_CORRELATE_THREAD_ERRORS_H

#include "correlate/observation.h"

/* Those between two calls of a thread. */
void thread_errors_read(const struct thread_usage *from, const struct thread_usage *to,
			struct request_errors *ret_errors);

#endif
