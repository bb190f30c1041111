#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh KERNEL [option]… -- COMMAND [ARG]…: run a command in a guest of that kernel, with its output and exit status.
#   --smp N --mem M    processors (2) and memory (1G)
#   --timeout S        end the guest after S seconds (120); then the status is 124
#   --add SRC[:DEST]   put a file or tree into the guest, as build-initrd.sh does; may be repeated
#   --initrd FILE      use this one, made by build-initrd.sh with the same kernel's modules, instead of a new one
#   --append WORDS     more for the kernel's command line
#   --slow-disk MS     /dev/slow-disk: 2 MiB of zeros, of which each read takes so long
#   --console FILE     keep the guest's kernel messages
#   --icount           one processor that runs an instruction a nanosecond (DESIGN.md); needs fetch-qemu.sh
# A guest that does not come to the end of the command (panic, no boot) gives 125 and its last kernel messages.
set -euo pipefail
# shellcheck source=tests/vm/cache.sh
. "$(dirname "$0")/cache.sh"
die_status=125

[ $# -ge 1 ] || die "usage: run.sh KERNEL [option]… -- COMMAND [ARG]…"
kernel_dir=$cache/kernels/$1
[ -e "$kernel_dir/release" ] || die "no kernel $1 in the cache; run tests/vm/fetch-kernels.sh $1"
shift

qemu=qemu-system-x86_64 smp=2 mem=1G seconds=120 initrd="" append="" console="" adds=() disk=()
# QEMU 7.2 gets cmpxchg16b wrong now and then: without cx16 hidden, 7 of 12 boots of 6.12 panicked; with it, 0 of 12.
# One thread for all processors: with one each, a processor may go on running code that another has patched (tracepoints being
# switched on and off), and 5.10 guests locked up in syscall_exit_to_user_mode in one of some forty starts of the agent.
machine=(-cpu "max,-cx16" -accel "tcg,thread=single")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	case $1 in
	--smp) smp=$2 && shift ;;
	--mem) mem=$2 && shift ;;
	--timeout) seconds=$2 && shift ;;
	--add) adds+=("$2") && shift ;;
	--initrd) initrd=$2 && shift ;;
	--append) append=$2 && shift ;;
	--console) console=$2 && shift ;;
	--slow-disk)
		disk=(-drive "driver=null-co,id=slow,if=none,size=2M,read-zeroes=on,latency-ns=${2}000000"
			-device "nvme,drive=slow,serial=slow")
		shift
		;;
	--icount)
		qemu=$cache/qemu/qemu-system-x86_64 smp=1
		[ -x "$qemu" ] || die "no QEMU 10 in the cache; run tests/vm/fetch-qemu.sh"
		machine=(-cpu max -accel tcg -icount "shift=0,sleep=off")
		;;
	*) die "unknown option $1" ;;
	esac
	shift
done
[ $# -ge 2 ] || die "no command; put it after --"
shift

work=$(mktemp -d "${TMPDIR:-/tmp}/sonde-vm.XXXXXX")
qemu_pid="" tail_pid=""
# shellcheck disable=SC2317 # called by the trap
cleanup() {
	# shellcheck disable=SC2086 # none, one or both
	kill $qemu_pid $tail_pid 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

[ -n "$initrd" ] || "$vm_dir/build-initrd.sh" "$work/initrd" --modules "$kernel_dir" "${adds[@]}" || exit 125
# The command travels as one more archive behind the others: no quoting, no length limit.
mkdir -p "$work/command/test"
printf 'exec %s\n' "${*@Q}" >"$work/command/test/run"
(cd "$work/command" && find . -mindepth 1 | cpio -o -H newc --quiet) | cat "${initrd:-/dev/null}" - >>"$work/initrd"

# To files, because QEMU drops serial output that a slow reader does not take; tail passes it on as it comes.
: >"$work/output"
setpriv --pdeathsig TERM timeout -k 5 "$seconds" \
	setpriv --pdeathsig KILL "$qemu" -machine q35,sata=off "${machine[@]}" -m "$mem" -smp "$smp" \
	"${disk[@]}" -nodefaults -no-user-config -display none -no-reboot \
	-serial "file:$work/console" -serial "file:$work/output" \
	-kernel "$kernel_dir/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 $append" </dev/null >"$work/qemu" 2>&1 &
qemu_pid=$!
setpriv --pdeathsig TERM tail -q -c +1 -s 0.05 -f --pid="$qemu_pid" "$work/output" &
tail_pid=$!
wait "$tail_pid" || true # not in the foreground: bash would keep a signal back until it ends
ended=0
wait "$qemu_pid" || ended=$?
qemu_pid="" tail_pid=""

[ -z "$console" ] || tr -d '\r' <"$work/console" >"$console"
status=$(tr -d '\r' <"$work/console" 2>/dev/null | sed -n 's/^sonde-vm: exit \([0-9]*\),.*/\1/p' | tail -n 1)
[ -z "$status" ] || exit "$status"
{
	cat "$work/qemu"
	tr -d '\r' <"$work/console" | tail -n 40
} >&2 || true
if [ "$ended" -eq 124 ]; then
	echo "${0##*/}: ended after $seconds s" >&2
	exit 124
fi
die "the guest stopped before the command ended"
