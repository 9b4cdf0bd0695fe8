"""A plan in words and rows: terminal, Markdown, JSON and the page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench import model, units
from bench.report import grids as tables_of
from bench.report import labels, markdown, tables
from bench.report.phases import Grid
from bench.report.plan_words import Told, how, lines, note, said, sentence, title
from bench.sizing.advise import Ask
from bench.sizing.plan import RATES, Plan
from bench.sizing.predict import Prediction
from bench.sizing.verify import Checked

if TYPE_CHECKING:
    from rich.console import Console

SIDE = "side"
SIDES = ("predicted", "measured", "ratio", "within the 95 % interval")


def what_if(plan: Plan) -> list[Grid]:
    """Rows of nodes, columns of rates: the SLO's metric with what it takes, and how busy the slots are."""
    ask, times, busy = plan.ask, [], []
    for choice in plan.choices:
        row = units.plural(choice.layout.nodes, "node")
        memory = units.format_size(choice.memory) if choice.memory else ""
        times.append((row, (str(choice.layout.hosts), memory, *(_what(ask, p) for p in choice.at))))
        busy.append((row, tuple(_busy(p) for p in choice.at)))
    rates = [units.format_rate(share * ask.rate) for share in RATES]
    planned = frozenset({units.plural(plan.layout.nodes, "node")})
    corner = f"of -c {plan.layout.concurrency}"
    return [
        Grid(
            title=f"What if: {labels.metric_text(ask.slo.metric)} (✗ the SLO is not kept)",
            corner=corner, columns=("hosts", "memory", *rates), rows=tuple(times), best=planned,
        ),
        Grid(
            title="What if: busy slots", corner=corner, columns=tuple(rates), rows=tuple(busy), best=planned,
        ),
    ]  # fmt: skip


def _what(ask: Ask, found: Prediction) -> str:
    if not found.keeps_up:
        return "✗ behind"
    point = units.format_metric(ask.slo.metric, found.metrics[ask.slo.metric])
    return point if found.metrics[ask.slo.metric] < ask.slo.limit else f"✗ {point}"


def _busy(found: Prediction) -> str:
    return f"{found.utilisation * 100:.0f} %" if found.keeps_up else "all"


def sides(found: Told) -> Grid:
    """Prediction and measurement, a row each metric."""
    rows = []
    for one in found.verified:
        within = {True: "yes", False: "no", None: ""}[one.inside]
        rows.append(
            (
                labels.metric_text(one.metric),
                (
                    str(tables.number(one.metric, one.predicted)),
                    str(tables.number(one.metric, one.measured)),
                    f"{one.ratio:.2f} ×",
                    within,
                ),
            )
        )
    return Grid(
        title=f"Prediction and measurement ({found.run})",
        corner="",
        columns=SIDES,
        rows=tuple(rows),
        across=SIDE,
    )


def grids(found: Told) -> list[Grid]:
    """All tables."""
    return [*([sides(found)] if found.verified else []), *what_if(found.best)]


def render(found: Told, console: "Console") -> None:
    """Print it: the sentence first."""
    from rich.text import Text

    console.print(Text(sentence(found.best), style="bold"))
    for text in said(found):
        console.print(Text(text))
    console.print()
    for line in lines(found.best):
        console.print(Text(f"  {line}"))
    console.print(Text(note(found.best), style="dim"))
    for grid in grids(found):
        console.print()
        console.print(tables_of.table(grid, wrap=grid.across == SIDE))
    for doubt in found.best.doubts:
        console.print(Text(f"? {doubt.kind}: {doubt.text} {doubt.advice}", style="yellow"))
    console.print(Text(how(), style="dim"))


def as_markdown(found: Told) -> str:
    """The plan for an issue or a pull request."""
    escape = markdown.escape
    out = [f"### {escape(title(found))}", "", f"**{escape(sentence(found.best))}**", ""]
    out += [f"- {escape(text)}" for text in said(found)]
    out += ["", "```", *lines(found.best), "```", "", escape(note(found.best))]
    for grid in grids(found):
        out += ["", escape(grid.title), "", *tables_of.rows(grid)]
    out += ["", *(f"- ❔ **{d.kind}**: {escape(d.text)} {escape(d.advice)}" for d in found.best.doubts)]
    return "\n".join([*out, "", how()]).replace("\n\n\n", "\n\n") + "\n"


def as_json(found: Told) -> dict[str, Any]:
    """All of it as plain data, SI units."""
    ask = found.ask
    return {
        "format": model.FORMAT,
        "run": found.plans.run,
        "rate": ask.rate,
        "slo": str(ask.slo),
        "headroom": ask.headroom,
        "host": asdict(ask.host),
        "arrivals": ask.arrivals,
        "mix": list(ask.mix),
        "plans": [_plan_json(plan) for plan in found.plans.plans],
        "refused": [{"settings": dict(f.settings), "why": why} for f, why in found.plans.refused],
        "verified": {"run": found.run, "metrics": [_checked_json(c) for c in found.verified]}
        if found.run
        else None,
    }


def _plan_json(plan: Plan) -> dict[str, Any]:
    law, fitted = plan.model.law, plan.model
    return {
        "settings": dict(plan.family.settings),
        "pool": plan.family.setup.fleet[0].pool,
        **asdict(plan.layout),
        "sentence": sentence(plan),
        "command": lines(plan),
        "memory": plan.memory,
        "capacity": plan.capacity,
        "capacity_range": plan.capacity_range,
        "knee": plan.curve.knee,
        "at_rate": _prediction_json(plan.planned),
        "with_headroom": _prediction_json(plan.held),
        "curve": [_prediction_json(point) for point in plan.curve.points],
        "what_if": [
            {**asdict(c.layout), "memory": c.memory, "at": [_prediction_json(p) for p in c.at]}
            for c in plan.choices
        ],
        "burst": _burst_json(plan),
        "model": {
            "service": law.one, "sigma": law.sigma, "kappa": law.kappa, "consumer": fitted.consumer_s,
            "dispatch": fitted.dispatch_s, "cpu_in_slot": fitted.work_s, "cpu_per_task": fitted.total_s,
            "memory_per_node": fitted.node_bytes, "memory_per_slot": fitted.slot_bytes,
            "usable_cores": fitted.usable,
        },
        "doubts": [{"kind": d.kind, "text": d.text, "advice": d.advice} for d in plan.doubts],
    }  # fmt: skip


def _burst_json(plan: Plan) -> dict[str, Any] | None:
    ridden = plan.ridden
    if ridden is None:
        return None
    return {
        **asdict(ridden.burst), "rate": ridden.rate, "holds": ridden.holds, "backlog": ridden.backlog,
        "wait": ridden.wait, "drained": ridden.drained,
    }  # fmt: skip


def _prediction_json(found: Prediction) -> dict[str, Any]:
    def finite(values: Mapping[str, float]) -> dict[str, float | None]:
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    return {
        "rate": found.rate, "keeps_up": found.keeps_up, "utilisation": found.utilisation, "cpu": found.cpu,
        "metrics": dict(found.metrics), "lower": finite(found.lower), "upper": finite(found.upper),
    }  # fmt: skip


def _checked_json(one: Checked) -> dict[str, Any]:
    ends: Sequence[float | None] = (one.predicted.lower, one.predicted.upper)
    return {
        "metric": one.metric, "predicted": one.predicted.point,
        "lower": ends[0], "upper": None if ends[1] is not None and math.isinf(ends[1]) else ends[1],
        "measured": one.measured.point, "trials": one.measured.n, "ratio": one.ratio, "within": one.inside,
    }  # fmt: skip
