"""A comparison in words and rows, for every medium: terminal, page, Markdown and JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, geometric_mean
from typing import TYPE_CHECKING, Any, Literal

from bench import model, units
from bench.compare import BETTER, SAME, UNDECIDED, VERDICTS, WORSE, Check, Comparison
from bench.compare.sides import Difference
from bench.measured import COUNTS
from bench.report import labels, markdown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SIGNS = {WORSE: "✗", BETTER: "✓", SAME: "=", UNDECIDED: "?"}
CSS = {WORSE: "fail", BETTER: "pass", SAME: "same", UNDECIDED: "open"}
EMOJI = {WORSE: "❌", BETTER: "✅", SAME: "🟰", UNDECIDED: "❔"}
STYLES = {WORSE: "red", BETTER: "green", SAME: "", UNDECIDED: "yellow"}
HEADINGS = ("cell", "metric", "base", "candidate", "candidate ÷ base", "verdict", "")
ONLY = "the only cell"
NAMED = 3
"""How many checks of a kind the first sentence names before it counts the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One check as texts; ``note``: why it is undecided, and what it would take."""

    cell: str
    metric: str
    base: str
    candidate: str
    change: str
    verdict: str
    note: str

    @property
    def sign(self) -> str:
        return SIGNS[self.verdict]

    @property
    def css(self) -> str:
        return CSS[self.verdict]


def title(found: Comparison) -> str:
    """``gevent against prefork (workers.pool)``."""
    return f"{found.candidate} against {found.base}" + (f" ({found.by})" if found.by else "")


def cell_name(found: Comparison, check: Check) -> str:
    """The cell that both sides share, with the candidate's name where there are several candidates."""
    pairs = found.matched.pairs
    lonely = (*found.matched.only_base, *found.matched.only_candidate)
    axes = labels.varying([*(pair.settings for pair in pairs), *([] if found.by else lonely)])
    words = [labels.settings_text(check.pair.settings, axes)] if axes else []
    if len({pair.candidate for pair in pairs}) > 1:
        words.insert(0, check.pair.candidate)
    if len({pair.scenario for pair in pairs}) > 1:
        words.insert(0, check.pair.scenario)
    return ": ".join(words) or (found.candidate if found.by else ONLY)


def differing(differences: Sequence[Difference]) -> str:
    """What else is not the same: ``host.cores 2 → 8, versions.celery 5.6.3 → 5.7.0``."""
    return ", ".join(f"{d.path} {d.base} → {d.candidate}" for d in differences)


def rows(found: Comparison) -> list[CheckRow]:
    """All checks, those first that call for something to be done."""
    ordered = sorted(found.checks, key=lambda check: VERDICTS.index(check.verdict))
    return [_row(found, check) for check in ordered]


def _row(found: Comparison, check: Check) -> CheckRow:
    base, candidate = (_mean(check.metric, side) for side in check.values)
    return CheckRow(
        cell=cell_name(found, check),
        metric=labels.metric_text(check.metric),
        base=base,
        candidate=candidate,
        change=change(check),
        verdict=check.verdict,
        note=_note(check, by_block=found.by_block),
    )


def _mean(metric: str, values: tuple[float, ...]) -> str:
    if not values:
        return "–"
    mean = fmean(values) if metric in COUNTS or min(values) <= 0 else geometric_mean(values)
    return units.format_metric(metric, mean)


def change(check: Check) -> str:
    """``0.877 × (0.860 to 0.894)``; of a count ``+3 (+2 to +4) a trial``."""
    if check.value is None or check.lower is None or check.upper is None:
        return "–"
    if check.metric in COUNTS:
        point, low, high = (
            f"{value:+.3g}" if value else "0" for value in (check.value, check.lower, check.upper)
        )
        return f"{point} a trial" if low == high else f"{point} ({low} to {high}) a trial"
    point, low, high = (_factor(value) for value in (check.value, check.lower, check.upper))
    return f"{point} × ({low} to {high})"


def _factor(value: float) -> str:
    """``0.877``; what lies beyond a hundred times either way is not told more closely."""
    return "< 0.01" if 0 < value < 0.01 else "> 100" if value > 100 else f"{value:.3f}"


def _note(check: Check, *, by_block: bool) -> str:
    """Why there is no verdict, the smallest effect that could have been shown, and what would decide."""
    words = [check.why] if check.why else []
    if check.smallest and check.verdict in (UNDECIDED, SAME):
        words.append(f"Could have shown {_amount(check, check.smallest)}.")
    if check.verdict == UNDECIDED and check.no_worse:
        words.append("No worse than the margin allows (one-sided, 95 %).")
    elif check.verdict == UNDECIDED and check.value is not None:
        unit = "block" if by_block else "trial"
        more = f"About {units.plural(check.more, f'more {unit}')} would decide." if check.more else ""
        words.append(more or "More trials alone are not likely to decide.")
    failed = sum(check.pair.failed)
    if failed:
        words.append(
            f"{units.plural(failed, 'trial')} failed and {'does' if failed == 1 else 'do'} not count."
        )
    return " ".join(words)


def _amount(check: Check, value: float) -> str:
    if check.metric in COUNTS:
        return f"{value:.2g} a trial"
    return f"{value * 100:.2g} %" if value < 1 else "nothing below a factor of two"


def summary(found: Comparison) -> str:
    """The comparison in a sentence or two: what is worse or better, and how much is not decided."""
    words = []
    for verdict in (WORSE, BETTER):
        checks = [check for check in found.checks if check.verdict == verdict]
        if checks:
            named = [_named(found, check) for check in checks]
            words.append(f"{verdict.capitalize()}: {labels.listed(labels.first_of(named, NAMED))}.")
    same, undecided = found.count(SAME), found.count(UNDECIDED)
    rest = [f"{same} the same within {found.margin * 100:.3g} %"] if same else []
    rest += [f"{undecided} undecided"] if undecided else []
    if rest:
        start = "" if words else f"Of {units.plural(len(found.checks), 'check')}: "
        words.append(f"{start}{', '.join(rest)}.")
    return " ".join(words) or "Nothing was measured on both sides."


def one_of_several(found: Comparison, check: Check) -> str:
    """The cell's name where there are several, else nothing."""
    cell = cell_name(found, check)
    return "" if cell in (ONLY, found.candidate) else cell


def _named(found: Comparison, check: Check) -> str:
    cell = one_of_several(found, check)
    return f"{labels.metric_text(check.metric)}{f' of {cell}' if cell else ''} {change(check)}"


def how(found: Comparison) -> str:
    """How the trials were compared."""
    confidence = f"{found.confidence * 100:.3g} %"
    if found.by_block:
        trials = "Trials of the same block are paired"
    else:
        trials = "Two sessions, their trials as separate samples (Welch)"
    return f"{trials}; intervals are {confidence}, verdicts hold over all checks (Holm)."


def lonely(found: Comparison) -> list[str]:
    """The cells that only one side has, a line for each side."""
    sides = ((found.base, found.matched.only_base), (found.candidate, found.matched.only_candidate))
    return [
        f"Only in {name}: {labels.listed(labels.first_of([labels.settings_text(s) for s in cells], 8))}."
        for name, cells in sides
        if cells
    ]


def render(found: Comparison, console: "Console") -> None:
    """Print it: what differs, the sentence, the table, what only one side has, the doubts."""
    from rich.text import Text

    console.print(Text(title(found), style="bold"))
    for each in found.matched.differences:
        console.print(Text(f"  {each.path}: {each.base} → {each.candidate}", style="dim"))
    console.print(Text(summary(found)))
    for cell in dict.fromkeys(cell_name(found, check) for check in found.checks):
        mine = [row for row in rows(found) if row.cell == cell]
        console.print(Text(f"\n{cell}", style="bold"))
        console.print(_table(mine))
        for row in mine:
            if row.note:
                console.print(Text(f"  {row.metric}: {row.note}", style="dim"))
    console.print()
    for line in lonely(found):
        console.print(Text(line))
    console.print(Text(how(found), style="dim"))
    for doubt in found.doubts:
        console.print(Text(f"? {doubt.kind}: {doubt.text} {doubt.advice}", style="yellow"))


def _table(found: Sequence[CheckRow]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), header_style="dim")
    for heading in HEADINGS[1:-1]:
        justify: Literal["left", "right"] = "right" if heading in ("base", "candidate") else "left"
        table.add_column(heading, justify=justify)
    for row in found:
        verdict = Text(f"{row.sign} {row.verdict}", style=STYLES[row.verdict])
        table.add_row(row.metric, row.base, row.candidate, row.change, verdict)
    return table


def as_markdown(found: Comparison) -> str:
    """The comparison for a pull request."""
    escape = markdown.escape
    lines = [f"### {escape(title(found))}", "", escape(summary(found)), ""]
    lines += [
        f"- {escape(d.path)}: {escape(d.base)} → {escape(d.candidate)}" for d in found.matched.differences
    ]
    lines += ["", f"| {' | '.join(HEADINGS)} |", f"|{' --- |' * len(HEADINGS)}"]
    for r in rows(found):
        cells = (r.cell, r.metric, r.base, r.candidate, r.change)
        lines.append(
            f"| {' | '.join(map(escape, cells))} | {EMOJI[r.verdict]} {r.verdict} | {escape(r.note)} |"
        )
    lines += ["", *(escape(line) for line in lonely(found)), "", how(found), ""]
    lines += [f"- ❔ **{d.kind}**: {escape(d.text)} {escape(d.advice)}" for d in found.doubts]
    return "\n".join(lines).rstrip() + "\n"


def as_json(found: Comparison) -> dict[str, Any]:
    """All of it as plain data, SI units."""
    return {
        "format": model.FORMAT,
        "base": found.base,
        "candidate": found.candidate,
        "by": found.by or None,
        "paired": found.by_block,
        "margin": found.margin,
        "confidence": found.confidence,
        "differences": [
            {"path": d.path, "base": d.base, "candidate": d.candidate} for d in found.matched.differences
        ],
        "only_base": [dict(cell) for cell in found.matched.only_base],
        "only_candidate": [dict(cell) for cell in found.matched.only_candidate],
        "checks": [_check_json(check) for check in found.checks],
        "doubts": [{"kind": d.kind, "text": d.text, "advice": d.advice} for d in found.doubts],
    }


def _check_json(check: Check) -> Mapping[str, Any]:
    return {
        "scenario": check.pair.scenario,
        "settings": dict(check.pair.settings),
        "candidate": check.pair.candidate,
        "metric": check.metric,
        "verdict": check.verdict,
        "no_worse": check.passes,
        "difference" if check.metric in COUNTS else "ratio": check.value,
        "lower": check.lower,
        "upper": check.upper,
        "p": check.p,
        "smallest_effect": check.smallest,
        "more_trials": check.more,
        "trials": {"base": list(check.values[0]), "candidate": list(check.values[1])},
        "failed_trials": dict(zip(("base", "candidate"), check.pair.failed, strict=True)),
        "why": check.why or None,
    }
