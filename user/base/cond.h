/* SPDX-License-Identifier: Apache-2.0 */
/* Condition variables that wait by CLOCK_MONOTONIC. */
#ifndef SONDE_BASE_COND_H
#define SONDE_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Returns 0 or negative errno. To be ended with pthread_cond_destroy. */
int cond_init_monotonic(pthread_cond_t *cond);

/* Sleep until woken or until the deadline, CLOCK_MONOTONIC; the lock is held before and after. Returns false once it is past. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t deadline_ns);

#endif
