# SPDX-License-Identifier: Apache-2.0
"""Failed system calls against the program's own count and strace's."""

import re

from sonde_test.runner import Skip, test, tool

ERRORS = "sonde_syscall_errors_total"
EXPECTED = "sonde_syscall_expected_errors_total"


def table(said, expected=False):
    return {(kind["syscall"], kind["errno"]): kind["count"] for kind in said["kinds"]
            if (kind["errno"] == "EAGAIN") == expected}


def errors(metrics, service, name=ERRORS):
    return metrics.by(name, "syscall", "errno", service_name=service)


@test(guest=True)
def syscall_errors_exact(t):
    agent = t.agent()
    said = t.spawn("failing", "table", service="failing").result(30 * t.patience)
    want = table(said)
    metrics = agent.settle(lambda m: errors(m, "failing"), want)
    t.equal(errors(metrics, "failing"), want, "errors")
    t.equal(set(metrics.by(ERRORS, "process_pid", service_name="failing")), {str(said["pid"])}, "pid")
    t.equal(set(metrics.by(ERRORS, "process_executable_name", service_name="failing")), {"failing"}, "executable")
    t.equal(errors(metrics, "failing", EXPECTED), {}, "expected errors, which nobody asked for")
    t.nothing_lost(agent)


@test()
def syscall_expected_errors_on_request(t):
    agent = t.agent("--expected-errors")
    said = t.spawn("failing", "table", service="failing").result(30 * t.patience)
    metrics = agent.settle(lambda m: errors(m, "failing", EXPECTED), table(said, expected=True))
    t.equal(errors(metrics, "failing", EXPECTED), table(said, expected=True), "expected errors")
    t.equal(errors(metrics, "failing"), table(said), "errors")


@test(needs=("strace",))
def syscall_errors_as_strace_counts(t):
    """The same program, a dynamic one with a start-up of its own, untraced and traced."""
    agent = t.agent()
    program = "import os\nfor n in range(50):\n try: os.stat('/no/such')\n except OSError: pass\n" \
              "for n in range(20):\n try: os.rmdir('/')\n except OSError: pass\n"
    args = ["/usr/bin/python3", "-I", "-S", "-c", program]
    t.spawn(*args, service="plain").wait(60 * t.patience)
    summary = t.path("strace.out")
    t.spawn(tool("strace"), "-f", "-c", "-o", summary, *args, service="traced").wait(120 * t.patience)
    want = {}
    with open(summary) as file:
        for line in file:
            match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+\d+\s+(\d+)\s+(\w+)$", line)
            if match and match[2] != "total":
                want[match[2]] = int(match[1])
    metrics = agent.settle(lambda m: m.by(ERRORS, "syscall", service_name="plain"), want)
    t.equal(metrics.by(ERRORS, "syscall", service_name="plain"), want, "errors by system call")


@test()
def syscall_error_storm(t):
    """A million failures on two threads, as fast as they go."""
    agent = t.agent()
    said = t.spawn("failing", "storm", "1000000", "2", service="storm").result(120 * t.patience)
    metrics = agent.settle(lambda m: errors(m, "storm"), {("close", "EBADF"): said["count"]})
    t.equal(errors(metrics, "storm"), {("close", "EBADF"): said["count"]}, "errors")
    t.balanced(agent)
    # What was held back and what came through are all of them. Others fail too, maybe between two tables' reading: look until nobody did.
    kind = {"kind": "syscall_error"}

    def sums(m):
        counted = m.total(ERRORS) + m.total("sonde_syscall_errors_unattributed_total")
        return m.total("sonde_events_produced_total", **kind) + m.total("sonde_events_limited_total", **kind) - counted
    metrics = agent.settle(sums, 0)
    if not metrics.total("sonde_series_expired_total", metric=ERRORS):  # of processes that are gone, on a busy machine
        t.equal(sums(metrics), 0, "events produced and held back, less errors counted")
    seen = metrics.total("sonde_events_produced_total", **kind)
    limited = metrics.total("sonde_events_limited_total", **kind)
    t.check(limited > 900000, f"the limiter held back {limited:g} only")
    t.check(seen > 0, "no event came through")


@test(guest=True)
def syscall_errors_of_32_bit_callers(t):
    """They use other numbers: 6 is close there, and lstat in the 64-bit table."""
    agent = t.agent()
    run = t.spawn("failing", "compat", "500", service="compat")
    if run.wait(30 * t.patience, status=None) == 77:
        raise Skip("this kernel or architecture has no 32-bit entry")
    t.equal(run.objects()[0]["wrong"], 0, "calls with another result")
    metrics = agent.settle(lambda m: sum(errors(m, "compat").values()), 500)
    found = errors(metrics, "compat")
    t.equal(sum(found.values()), 500, f"errors of 32-bit calls ({dict(found)})")
    t.equal(found["lstat", "EBADF"], 0,
            "32-bit calls counted under 64-bit names")
