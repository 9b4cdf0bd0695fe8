"""How right plans are. Workers are measured at three concurrencies; what the model says of 1.5 and 2 times
the largest is written to docs/perf-plan-predicted.jsonl; only then it is measured, twice, into
docs/perf-plan-measured.jsonl.

``sizes.py`` does what is missing, words choose kinds of work, ``--table`` only writes the tables again.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import numpy as np
import yaml
from grids import HOME, run
from report import PAGE, between

from bench import store, units
from bench.sizing import evidence, mix, scaling, theory
from bench.sizing.doubts import PACED
from bench.sizing.evidence import Family
from bench.sizing.model import fit
from bench.sizing.predict import Layout, capacity, capacity_within, predict, resampled, with_interval

PREDICTED = PAGE.with_name("perf-plan-predicted.jsonl")
MEASURED = PAGE.with_name("perf-plan-measured.jsonl")
TRAINING = 5
"""Floods of each trained concurrency, and trials at the rate of ``PACED``."""
AGAIN = 2
"""Trials that make one measurement; each thing is measured twice."""
SHARES = (0.5, 0.7, 0.85, 0.95)
"""Rates, of the predicted capacity."""
SECONDS = 8
METRIC = "p95(response)"
FLOOD = "flood"
"""In place of a rate."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Work on a pool: ``trained`` concurrencies, those to ``foretell``, tasks of a flood by slot; ``shift``:
    weights of the workload as it is then measured.
    """

    name: str
    pool: str
    workload: Any
    trained: tuple[int, ...]
    foretell: tuple[int, ...]
    tasks: int
    shift: tuple[float, ...] = ()


TAIL = [
    {"task": "io.sleep", "kwargs": {"seconds": seconds}, "weight": weight}
    for seconds, weight in ((0.01, 12), (0.05, 6), (0.3, 2))
]
MIXED = {"task": "mixed", "kwargs": {"cpu_ms": 2, "io_seconds": 0.02}}
KINDS = (
    Kind(name="CPU, prefork", pool="prefork", workload={"task": "cpu.spin", "kwargs": {"ms": 4}},
         trained=(1, 2, 4), foretell=(6, 8), tasks=400),
    Kind(name="mixed, prefork", pool="prefork", workload=MIXED,
         trained=(1, 2, 4), foretell=(6, 8), tasks=300),
    Kind(name="mixed, threads", pool="threads", workload=MIXED,
         trained=(2, 4, 8), foretell=(12, 16), tasks=400),
    Kind(name="I/O, gevent", pool="gevent", workload={"task": "io.sleep", "kwargs": {"seconds": 0.05}},
         trained=(5, 10, 20), foretell=(30, 40), tasks=500),
    Kind(name="heavy tail, threads", pool="threads", workload=TAIL, trained=(2, 4, 8), foretell=(12, 16),
         tasks=400),
    Kind(name="its mix shifted to 8:8:4", pool="threads", workload=TAIL, trained=(2, 4, 8), foretell=(8,),
         tasks=400, shift=(8, 8, 4)),
)  # fmt: skip


def main(words: Sequence[str]) -> None:
    """Train, foretell and measure, kind after kind."""
    for kind in [kind for kind in KINDS if kind.name in words] or KINDS if "--table" not in words else ():
        folder = (
            HOME / "plans" / kind.name.replace(" ", "-").replace("/", "").replace(",", "").replace(":", "-")
        )
        if not _lines(PREDICTED, kind):
            run(folder / "trained", _trained(kind))
            run(folder / "paced", _paced(kind, folder / "trained"))
            _append(PREDICTED, foretold(kind, folder))
        if not _lines(MEASURED, kind):
            for concurrency in kind.foretell:
                run(folder / f"flood-{concurrency}", _measured(kind, concurrency, []))
                rates = [
                    line["rate"] for line in _lines(PREDICTED, kind, concurrency) if line["rate"] != FLOOD
                ]
                run(folder / f"rates-{concurrency}", _measured(kind, concurrency, rates))
            _append(MEASURED, seen(kind, folder))
    text = "\n".join(tables())
    click.echo(text)
    PAGE.write_text(between(PAGE.read_text(), "plans", text))


def _lines(file: Path, kind: Kind, concurrency: int | None = None) -> list[dict[str, Any]]:
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines() if file.exists() else [])
    return [x for x in lines if x["kind"] == kind.name and concurrency in (None, x["concurrency"])]


def _append(file: Path, lines: Iterator[dict[str, Any]]) -> None:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    with file.open("a", encoding="utf-8") as out:
        out.write(text)


def _scenario(kind: Kind, workload: Any, load: Mapping[str, Any], **more: Any) -> str:
    return yaml.safe_dump(
        {"question": f"How does {kind.name} scale?", "workload": workload, "load": load,
         "metric": "throughput", **more},
        sort_keys=False,
    )  # fmt: skip


def _trained(kind: Kind) -> str:
    return _scenario(
        kind, kind.workload, {"shape": FLOOD, "tasks": kind.tasks}, repeats=TRAINING,
        workers={"pool": kind.pool, "prefetch": 1}, matrix={"workers.concurrency": list(kind.trained)},
    )  # fmt: skip


def _paced(kind: Kind, floods: Path) -> str:
    """The largest trained concurrency, given one message after the other."""
    widest = kind.trained[-1]
    rates = [
        r.metrics["throughput"] for r in _run(floods).results() if r.effective[0]["concurrency"] == widest
    ]
    load = {"shape": "poisson", "for": f"{SECONDS}s", "rate": f"{PACED * fmean(rates):.3g}/s"}
    workers = {"pool": kind.pool, "concurrency": widest, "prefetch": 1}
    return _scenario(kind, kind.workload, load, repeats=TRAINING, workers=workers)


def _measured(kind: Kind, concurrency: int, rates: Sequence[float]) -> str:
    workload = kind.workload
    if kind.shift:
        workload = [{**call, "weight": w} for call, w in zip(workload, kind.shift, strict=True)]
    workers = {"pool": kind.pool, "concurrency": concurrency, "prefetch": 1}
    load: dict[str, Any] = {"shape": FLOOD, "tasks": 2 * kind.tasks}
    more: dict[str, Any] = {}
    if rates:
        load, more = (
            {"shape": "poisson", "for": f"{SECONDS}s", "rate": f"{rates[0]}/s"},
            {"matrix": {"load.rate": [f"{rate}/s" for rate in rates]}},
        )
    return _scenario(kind, workload, load, repeats=2 * AGAIN, workers=workers, **more)


def _run(folder: Path) -> store.Run:
    return store.open_run(folder / "results", "latest")


def foretold(kind: Kind, folder: Path) -> Iterator[dict[str, Any]]:
    """What the model says of every layout, and what simpler ways say."""
    family, paced = _family(folder / "trained"), _family(folder / "paced")
    family = replace(family, samples=(*family.samples, *paced.samples))
    cores = float(_run(folder / "trained").meta["host"]["cores"])
    slots, rates = _floods(family)
    if kind.shift:
        family = mix.shifted(family, kind.shift)
    model, flooded = (fit(family, cores, floods=floods).beside_loader() for floods in (False, True))
    again, of_floods = (resampled(family, cores, floods=floods).beside_loader() for floods in (False, True))
    mean = fmean(float(s.services.mean()) for s in family.samples if s.flood and s.slots == max(slots))
    line, usl = scaling.linear(slots, rates), scaling.throughput(slots, rates, bounded=False)
    for concurrency in kind.foretell:
        layout = Layout(nodes=1, concurrency=concurrency, prefetch=1)
        most, within = capacity(flooded, layout, cores), capacity_within(flooded, of_floods, layout, cores)
        common = {"kind": kind.name, "concurrency": concurrency, "at": datetime.now(UTC).isoformat()}
        yield {**common, "rate": FLOOD, "metric": "throughput", "predicted": most, "within": within,
               "linear": line * concurrency, "unbounded USL": usl.throughput(concurrency)}  # fmt: skip
        sustained = capacity(model, layout, cores)
        for share in SHARES:
            rate = float(f"{share * sustained:.3g}")
            at = with_interval(predict(model, layout, rate, cores), again, layout, cores)
            upper = at.upper.get(METRIC, 0.0)
            yield {**common, "rate": rate, "share": share, "metric": METRIC, "predicted": at.metrics[METRIC],
                   "within": [at.lower.get(METRIC), upper if np.isfinite(upper) else None],
                   "Erlang C": _finite(theory.mmc_response(concurrency, rate, mean, 0.95))}  # fmt: skip


def _family(folder: Path) -> Family:
    """The only one of a run."""
    source = _run(folder)
    (family,) = evidence.families(source, [cell for scenario in source.scenarios for cell in scenario.cells])
    return family


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _floods(family: Family) -> tuple[list[float], list[float]]:
    """Slots and throughput of every flood."""
    floods = [s for s in family.samples if s.flood]
    return [float(s.slots) for s in floods], [s.metrics["throughput"] for s in floods]


def seen(kind: Kind, folder: Path) -> Iterator[dict[str, Any]]:
    """What was measured of it: a value each trial."""
    for concurrency in kind.foretell:
        common = {"kind": kind.name, "concurrency": concurrency}
        flood = [r for r in _run(folder / f"flood-{concurrency}").results() if r.ok]
        yield {**common, "rate": FLOOD, "at": min(r.started_at for r in flood),
               "values": [r.metrics["throughput"] for r in sorted(flood, key=lambda r: r.block)]}  # fmt: skip
        by_rate: dict[float, list[Any]] = {}
        for result in sorted(_run(folder / f"rates-{concurrency}").results(), key=lambda r: r.block):
            if result.ok:
                by_rate.setdefault(units.rate(str(result.settings["load.rate"])), []).append(result)
        for rate, found in by_rate.items():
            values = [r.metrics[METRIC] for r in found if METRIC in r.metrics]
            yield {**common, "rate": rate, "at": min(r.started_at for r in found), "values": values}


def pairs() -> list[dict[str, Any]]:
    """Each prediction with what was measured of it."""
    out = []
    for kind in KINDS:
        measured = {(x["concurrency"], x["rate"]): x for x in _lines(MEASURED, kind)}
        for line in _lines(PREDICTED, kind):
            found = measured.get((line["concurrency"], line["rate"]))
            if found and found["values"]:
                assert line["at"] < found["at"], "a prediction comes before its measurement"
                out.append({**line, "values": found["values"]})
    return out


def tables() -> Iterator[str]:
    """Measured ÷ predicted, and the errors of all ways to foretell."""
    every = pairs()
    yield "| measured ÷ predicted | throughput | " + " | ".join(f"p95 at {s:.0%}" for s in SHARES) + " |"
    yield "| --- | --- |" + " --- |" * len(SHARES)
    for kind, concurrency in dict.fromkeys((x["kind"], x["concurrency"]) for x in every):
        mine = {x.get("share"): x for x in every if (x["kind"], x["concurrency"]) == (kind, concurrency)}
        told = [f"{ratio(mine[at]):.2f}" if at in mine else "–" for at in (None, *SHARES)]
        yield f"| {kind}, -c {concurrency} | {' | '.join(told)} |"
    floods, paced = [x for x in every if x["rate"] == FLOOD], [x for x in every if x["rate"] != FLOOD]
    calm, full = ([x for x in paced if (x["share"] <= 0.85) is calm] for calm in (True, False))
    yield ""
    yield "| mean error | throughput | p95 up to 85 % | p95 at 95 % | too low by more than 20 %, up to 85 % |"
    yield "| --- | --- | --- | --- | --- |"
    for name in ("predicted", "linear", "unbounded USL", "Erlang C", "measuring twice"):
        low = [e for x in calm if (e := error(x, name)) is not None]
        optimistic = f"{sum(e > 0.2 for e in low)} of {len(low)}" if low else "–"
        yield f"| {name} | {mape(floods, name)} | {mape(calm, name)} | {mape(full, name)} | {optimistic} |"
    yield ""
    for called, lines in (("throughput", floods), ("p95 up to 85 %", calm), ("p95 at 95 %", full)):
        inside = [_inside(x["within"], value) for x in lines if x["within"] for value in x["values"]]
        if inside:
            share = f"{fmean(inside):.0%} ({sum(inside)} of {len(inside)})"
            yield f"- Trials within the interval, {called}: {share}."


def _inside(within: Sequence[float | None], value: float) -> bool:
    low, high = within
    return (low is None or low <= value) and (high is None or value <= high)


def ratio(line: Mapping[str, Any]) -> float:
    """Measured ÷ predicted."""
    return fmean(line["values"]) / float(line["predicted"])


def error(line: Mapping[str, Any], name: str) -> float | None:
    """Measured ÷ foretold − 1; None where this way says nothing. Measuring twice foretells the second half
    of the trials by the first.
    """
    values = line["values"]
    if name == "measuring twice":
        half = len(values) // 2
        return fmean(values[half:]) / fmean(values[:half]) - 1 if half else None
    if name not in line:
        return None
    return fmean(values) / line[name] - 1 if line[name] else float("inf")


def mape(lines: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean of |foretold − measured| ÷ measured; what never settles is counted apart."""
    errors = [e for line in lines if (e := error(line, name)) is not None]
    finite = [abs(1 / (1 + e) - 1) for e in errors if np.isfinite(e)]
    if not finite:
        return "–"
    never = len(errors) - len(finite)
    return f"{fmean(finite):.0%}" + (f", and {never} said to fall behind" if never else "")


if __name__ == "__main__":
    main(sys.argv[1:])
