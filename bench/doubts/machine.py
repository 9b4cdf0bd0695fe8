"""Doubts about the machine: who else used it, what held it back, and whether we were part of it."""

from bench import speed
from bench.doubts.rule import Evidence, rule, seconds
from bench.measured import TrialResult
from bench.units import format_size, plural

# Why each limit is where it is says the source of its rule.
THROTTLED_SHARE = 0.01  # of the makespan
SWAPPED_BYTES = (
    2**20
)  # in a trial, in and out; a few pages come back on any machine that has been up for long
SLOWER = 0.10  # of the time a reference spin takes
STEAL_SHARE = 0.02  # of all cores' time
BUSY_CORES = 0.20
BROKER_CORES = 0.80
HARNESS_CORES = 0.10


@rule(
    "throttled",
    source="A cgroup's CPU quota stops everything in it until the next period, mostly 100 ms (kernel: CFS"
    " bandwidth control): 1 % of the time is the p99 of what runs.",
    advice="Lift the CPU limit of the container, or give it whole cores; fewer slots use the quota up later.",
)
def throttled(e: Evidence) -> str | None:
    held = [r.host.get("throttled", 0.0) / seconds(r) for r in e.ok if seconds(r)]
    share = max(held, default=0.0)
    if share <= THROTTLED_SHARE:
        return None
    return f"The CPU quota held the processes back for {share * 100:.0f} % of a trial's time."


@rule(
    "swap",
    source="A page of 4 KiB comes back from disk in 0.1 ms or more: 1 MiB is 25 ms of waiting, and every"
    " percentile shows it.",
    advice="Free memory or use fewer processes, or switch swap off for the session (swapoff -a).",
)
def swap(e: Evidence) -> str | None:
    moved = e.most("swapped")
    if moved <= SWAPPED_BYTES:
        return None
    return f"The system swapped during a trial: {format_size(moved)} moved to or from disk."


@rule(
    "slow-host",
    source="Sixty spins in a row on an idle shared machine lay within 7 % of their median; 10 % is as far"
    " off as the widest interval that is not doubted.",
    advice="Trust comparisons within a block; run again at a quieter time or on a machine of your own.",
)
def slow_host(e: Evidence) -> str | None:
    slow = [_slower(r, e.usual_spin) for r in e.ok]
    changed = [_changed(r) for r in e.ok]
    of = f"of {plural(len(e.ok), 'trial')}"
    if (n := sum(x > SLOWER for x in slow)) > 0:
        much = f"the reference spin took up to {max(slow) * 100:.0f} % longer than is usual in this run"
        return f"The host was slow around {n} {of}: {much}."
    if (n := sum(x > SLOWER for x in changed)) > 0:
        much = f"up to {max(changed) * 100:.0f} % between the spin before and the spin after"
        return f"The host's speed changed during {n} {of}: {much}."
    return None


def _slower(r: TrialResult, usual: float | None) -> float:
    """By how much the spins around the trial, on average, took longer than the run's median; 0.1 is 10 %."""
    spin = speed.spin_of(r)
    return spin / usual - 1 if spin and usual else 0.0


def _changed(r: TrialResult) -> float:
    """By how much the slower of the trial's two spins took longer than the faster one."""
    spins = speed.spins(r)
    return max(spins) / min(spins) - 1 if spins else 0.0


@rule(
    "steal",
    source="2 % of all cores' time is as large as the smallest differences that are reported.",
    advice="Run again at a quieter time or on a machine of your own; trust comparisons within a block.",
)
def steal(e: Evidence) -> str | None:
    share = e.cores_of("system", "steal") / e.cores
    if share <= STEAL_SHARE:
        return None
    return f"Other guests of this host took {share * 100:.1f} % of the CPU time (steal)."


@rule(
    "busy-host",
    source="0.2 cores are a tenth of a two-core machine, and the least that 10 ms ticks show in 0.1 s.",
    advice="Stop what else runs here (celery-bench doctor names it), then measure again.",
)
def busy_host(e: Evidence) -> str | None:
    busy = sum(r.host.get("busy_before", 0.0) > BUSY_CORES for r in e.ok)
    if not busy:
        return None
    of = f"{busy} of {plural(len(e.ok), 'trial')}"
    return f"Other processes were busy just before {of}: up to {e.most('busy_before'):.1f} cores."


@rule(
    "broker-busy",
    source="Valkey and Redis execute commands on one thread; at 80 % of a core a command takes five times its"
    " own time (1/(1 − ρ), M/M/1).",
    advice="Compare settings with longer tasks, or with fewer slots.",
)
def broker_busy(e: Evidence) -> str | None:
    cores = e.cores_of("broker")
    if cores < BROKER_CORES or e.cell.setup.broker.kind not in ("valkey", "redis"):
        return None
    return f"The broker used {cores:.2f} of the one core it can use: it may be the limit."


@rule(
    "harness-busy",
    source="0.1 cores of a two-core machine are 5 % of what the workers could use.",
    advice="Free a core, or lower the rate: the workers had that much less.",
)
def harness_busy(e: Evidence) -> str | None:
    cores = e.cores_of("harness")
    if cores <= HARNESS_CORES:
        return None
    return f"The harness itself used {cores:.2f} cores during the trials."


@rule(
    "eventlet",
    source='eventlet\'s README: maintenance only, and "new usages of eventlet are now heavily discouraged".',
    advice="Prefer gevent or threads for anything new.",
)
def eventlet(e: Evidence) -> str | None:
    if all(group.pool != "eventlet" for group in e.cell.setup.fleet):
        return None
    return "eventlet is in bare maintenance, and its own maintainers advise against new use."
