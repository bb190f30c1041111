#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# guest.sh SHORT LONG: runs inside a guest that counts instructions (see sonde_bench/icount.py), where one nanosecond is one
# instruction. Prints lines "wrk MODE REQUESTS MICROSECONDS AGENT_NS NGINX_NS" (twice each: the short run, the long one),
# "call MODE CASE NS", "room NAME NS COUNT" and "bpf RUN_NS RUNS REQUESTS".
set -euo pipefail
short=$1 long=$2
cd "$(dirname "$0")"
call_cases="getppid close-fails null-write tcp-exchange http-exchange"
url=http://127.0.0.1:8080/
pid=""

# Time that a process has had, in nanoseconds; 0 without one.
time_of() {
	[ -n "$1" ] || { echo 0 && return; }
	cut -d' ' -f1 "/proc/$1/schedstat"
}

wrk_run() {
	wrk -t1 -c16 -d"$1"s -s "${2:-done.lua}" $url | tail -n 1
}

measure_wrk() { # MODE [SCRIPT of wrk]
	local mode=$1 seconds agent nginx requests microseconds errors
	for seconds in "$short" "$long"; do
		agent=$(time_of "$pid") nginx=$(time_of "$worker")
		read -r requests microseconds errors < <(wrk_run "$seconds" "${2:-}")
		[ "$errors" -eq 0 ] || echo "note $errors errors of wrk with $mode"
		echo "wrk $mode $requests $microseconds $(($(time_of "$pid") - agent)) $(($(time_of "$worker") - nginx))"
	done
}

measure_calls() {
	# The first run is for the agent: it decides about a process a moment after it has started.
	./call_cost -s 0.2 getppid >/dev/null
	# shellcheck disable=SC2086 # a list
	./call_cost -s 0.1 getppid $call_cases | tail -n +2 | sed "s/^/call $1 /"
}

agent_start() {
	./sonde agent --listen 127.0.0.1:9464 --socket /tmp/sonde.sock "$@" 2>/tmp/agent.log &
	pid=$!
	until curl -sf http://127.0.0.1:9464/readyz >/dev/null; do
		kill -0 $pid || { cat /tmp/agent.log && exit 1; }
		sleep 0.05
	done
	sleep 1
}

agent_stop() {
	kill "$pid"
	wait "$pid" || true
	pid=""
}

empty_start() {
	mkfifo /tmp/hold
	./attach_empty </tmp/hold >/tmp/empty &
	empty=$!
	exec 9>/tmp/hold
	until grep -q ready /tmp/empty; do sleep 0.05; done
}

empty_stop() {
	exec 9>&-
	wait "$empty"
}

# Its own cost is in these figures only: the kernel reads the clock twice for each run it measures.
measure_program() {
	local before after requests
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	before=$(program_figures)
	read -r requests _ < <(wrk_run "$short")
	after=$(program_figures)
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
	echo "bpf $((${after% *} - ${before% *})) $((${after#* } - ${before#* })) $requests"
}

# bpftool would be one more program to carry: the agent's own descriptors say as much.
program_figures() {
	cat /proc/"$pid"/fdinfo/* 2>/dev/null | awk '/^run_time_ns/ { ns += $2 } /^run_cnt/ { runs += $2 } END { print ns + 0, runs + 0 }'
}

sed 's|@DIR@|/tmp|; s|@PORT@|8080|' nginx.conf >/tmp/nginx.conf
nginx -c /tmp/nginx.conf 9>&- &
sleep 3 # the kernel has things to do after booting
worker=$(cat /proc/"$(cat /tmp/nginx.pid)"/task/*/children)
worker=${worker// /}
wrk_run "$short" >/dev/null

measure_wrk nothing
measure_wrk nothing-varied varied.lua
measure_calls nothing
empty_start
measure_wrk empty
measure_calls empty
empty_stop
agent_start
measure_wrk sonde
measure_wrk sonde-varied varied.lua
measure_calls sonde
measure_program
./sonde record --socket /tmp/sonde.sock --seconds 3 /tmp/recording 2>/dev/null &
recorder=$!
wrk_run 1 >/dev/null
wait $recorder
agent_stop
agent_start --skip 'exe=*nginx*' --skip 'exe=*wrk*' --skip 'exe=*call_cost*'
measure_wrk bystander
measure_calls bystander
agent_stop
measure_wrk nothing-again
./room_cost -s 0.1 -n 40000 /tmp/recording | sed 's/^/room /'
