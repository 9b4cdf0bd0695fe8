"""What a run was made with: host, versions, command, and what the harness itself used."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench import store, units
from bench.report import labels
from bench.report.drift import drift_figure
from bench.report.loads import load_text
from bench.report.view import ScenarioView

MOST_LOADS = 8
UNIT_WORDS = {"spins_per_ms": "iterations of cpu.spin a millisecond"}


def subtitle(run: store.Run, views: Sequence[ScenarioView]) -> str:
    """``2026-11-20 21:15 · 40 trials · 2 cores of Xeon · quick``."""
    trials = sum(len(view.results) for view in views)
    failed = sum(not r.ok for view in views for r in view.results)
    host = run.meta.get("host", {})
    words = [str(run.meta.get("created", "")).replace("T", " ")[:16], units.plural(trials, "trial")]
    if failed:
        words.append(f"{failed} failed")
    if host.get("cores"):
        words.append(f"{host['cores']} cores of {host.get('cpu') or 'an unknown CPU'}")
    if run.quick:
        words.append("quick: shortened, not for decisions")
    return " · ".join(word for word in words if word)


def remarks(view: ScenarioView, run: store.Run) -> list[str]:
    """What qualifies the whole answer: trials that are missing."""
    out = []
    planned, ran = len(view.scenario.cells) * view.scenario.repeats, len(view.results)
    if ran < planned:
        out.append(
            f"{ran} of {units.plural(planned, 'trial')} were run; the rest can follow with"
            f" celery-bench run --resume {run.name}"
        )
    return out


def conditions(run: store.Run, views: Sequence[ScenarioView]) -> list[tuple[str, str]]:
    """(what, value) for everything that may explain a number."""
    meta = run.meta
    out = [
        ("Run", run.name),
        ("Started", str(meta.get("created", ""))),
        ("Command", str(meta.get("command", ""))),
        ("Seed", str(meta.get("seed", ""))),
        ("Repeats", ", ".join(f"{v.scenario.name}: {v.scenario.repeats}" for v in views)),
        ("Order", "cells in random order within each block, one block a repeat"),
        ("Load", "; ".join(_loads(views))),
        ("Broker", ", ".join(_brokers(views))),
        *machine(run),
        *((UNIT_WORDS.get(k, k), f"{v:g}") for k, v in meta.get("calibration", {}).items()),
        ("The harness itself used", _harness(views)),
        *_around(views),
    ]
    return [(what, value) for what, value in out if value]


def machine(run: store.Run) -> list[tuple[str, str]]:
    """(what, value) for the machine and the versions of a run, as far as they are known."""
    host = run.meta.get("host", {})
    facts = [
        ("CPU", str(host.get("cpu") or "")),
        ("Cores", _cores(host)),
        ("Memory", units.format_size(host["memory"]) if host.get("memory") else ""),
        ("Kernel", str(host.get("kernel") or "")),
        ("Python", str(host.get("python") or "")),
        ("Versions", ", ".join(f"{k} {v}" for k, v in run.meta.get("versions", {}).items() if v)),
    ]
    return [(what, value) for what, value in facts if value]


def _brokers(views: Sequence[ScenarioView]) -> list[str]:
    brokers = [cell.setup.broker for view in views for cell in view.cells]
    return list(
        dict.fromkeys(units.hide_password(b.url) if b.url else f"{b.kind} (private)" for b in brokers)
    )


def _loads(views: Sequence[ScenarioView]) -> list[str]:
    """Each load once, in words; of many the first few."""
    loads = [load_text(cell.setup.load) for view in views for cell in view.cells]
    return labels.first_of(list(dict.fromkeys(loads)), MOST_LOADS)


def _cores(host: Mapping[str, Any]) -> str:
    quota = host.get("quota_cores")
    return f"{host.get('cores', '')}" + (f", limited to {quota:g}" if isinstance(quota, (int, float)) else "")


def _around(views: Sequence[ScenarioView]) -> list[tuple[str, str]]:
    """What the machine did around the trials, where it did anything."""
    seen = [result.host for view in views for result in view.results]
    busiest = max((host.get("busy_before", 0.0) for host in seen), default=0.0)
    throttled = sum(host.get("throttled", 0.0) for host in seen)
    swapped = sum(host.get("swapped", 0.0) for host in seen)
    drift = drift_figure(views)
    return [
        ("Machine's speed", drift.text if drift else ""),
        ("Other processes used", f"up to {busiest:.2g} cores just before a trial" if busiest else ""),
        ("Throttled by the cgroup", units.format_duration(throttled) if throttled else ""),
        ("Swapped during trials", units.format_size(swapped) if swapped else ""),
    ]


def _harness(views: Sequence[ScenarioView]) -> str:
    """Cores used by the harness and its loader while loads ran: what the measuring took from the measured."""
    used = busy = 0.0
    for result in (r for view in views for r in view.results if r.ok):
        used += sum(result.resources.get(group, {}).get("cpu", 0.0) for group in ("harness", "loader"))
        busy += result.timings.get("load", 0.0)
    return f"{used / busy:.2f} cores on average while tasks ran" if busy > 0 else ""
