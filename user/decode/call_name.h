/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of system calls and errors to the names people know. */
#ifndef SONDE_DECODE_CALL_NAME_H
#define SONDE_DECODE_CALL_NAME_H

#include <stdint.h>

/* "openat"; "compat_openat" for a 32-bit caller (SYSCALL_COMPAT_BIT), "x32_openat" for an x32 one; "syscall_999" for a
 * number nobody knows, "unknown" from SYSCALL_NR_BEYOND on. Lives for ever. Owner thread only. */
const char *syscall_name(uint16_t nr);

/* "ENOENT"; "errno_999" is not possible: unknown ones are "unknown". Lives for ever. */
const char *errno_name(uint16_t error);

#endif
