/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What every BPF object starts with: kernel types, libbpf's helpers, the contract, and our settings. */
#ifndef SONDE_SETTINGS_BPF_H
#define SONDE_SETTINGS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "config_abi.h"

/* Written by user space before load; the verifier then knows the values and drops dead branches. A section of its own
 * puts it at offset 0 of a map that every object has under the same name. */
const volatile struct bpf_settings settings SEC(".rodata.settings");

#endif
