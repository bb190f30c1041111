#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# selftest.sh [KERNEL…]: does each guest offer what the end-to-end tests lean on? Prints a line a kernel.
set -euo pipefail
vm_dir=$(cd "$(dirname "$0")" && pwd)

if [ "${1:-}" = --in-guest ]; then
	python3 -c 'import http.server, socket, subprocess, json, threading, selectors, ssl, unittest, ctypes'
	test -s /sys/kernel/btf/vmlinux
	for fs in bpf cgroup2 tracefs debugfs; do grep -q " $fs " /proc/mounts; done

	printf '%s\n' 'events {} http { access_log /tmp/access.log; server { listen 127.0.0.1:8080; return 200 ok; } }' >/tmp/nginx.conf
	nginx -c /tmp/nginx.conf
	test "$(curl -sS http://localhost:8080/)" = ok
	wrk -t1 -c4 -d1s http://127.0.0.1:8080/ >/tmp/wrk
	strace -f -c -o /tmp/strace curl -sS http://localhost:8080/ >/dev/null

	ip netns add peer
	ip link add near type veth peer name far netns peer
	ip addr add 10.9.0.1/24 dev near && ip link set near up
	ip -n peer addr add 10.9.0.2/24 dev far && ip -n peer link set far up
	tc qdisc add dev near root netem delay 20ms
	ping -c 2 10.9.0.2 | sed -n 's/.*time=\([0-9.]*\).*/\1/p' | awk '$1 >= 20 { ok = 1 } END { exit !ok }'
	tc -n peer qdisc add dev far root tbf rate 10mbit burst 32kb latency 50ms
	nft 'add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in tcp dport 81 reject with tcp reset; add rule inet t in tcp dport 82 drop'
	ss -tin >/dev/null
	mkdir /sys/fs/cgroup/test
	sh -c 'timeout 5 tc qdisc show dev near' | grep -q 'netem.*delay 20ms' # not busybox's tc
	unshare -Upf --mount-proc true

	echo "$(uname -r): ok, $(free -m | awk '/^Mem/ { print $3 + $6 }') MB used, $(awk '/Requests/ { print $2 }' /tmp/wrk) requests/s; no $(
		for m in tls sch_fq tcp_bbr overlay; do modprobe $m 2>/dev/null || printf '%s ' $m; done
	)"
	exit 0
fi

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
for kernel in "$@"; do
	began=$(date +%s%N)
	"$vm_dir/run.sh" "$kernel" --add "$vm_dir/selftest.sh" -- bash /test/selftest.sh --in-guest
	echo "  whole run $((($(date +%s%N) - began) / 1000000)) ms"
done
