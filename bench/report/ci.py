"""What a check tells a CI service: one verdict, Markdown for a pull request, JUnit XML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from bench import compare, doubts, gate, store, units
from bench.compare import Check, Comparison
from bench.report import comparison, labels

NO_REGRESSION, REGRESSION, UNDECIDED, NOT_MEASURED = (
    "no regression", "regression", "undecided", "could not measure",
)  # fmt: skip
EMOJI = {NO_REGRESSION: "✅", REGRESSION: "❌", UNDECIDED: "❔", NOT_MEASURED: "⚠️"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``word`` is one of the four above; ``text`` a sentence; ``how`` what was measured for it."""

    word: str
    text: str
    how: str


def gates(run: store.Run, cells: Sequence[str]) -> list[gate.Verdict]:
    """The scenario's gates on each of these cells."""
    summaries, results = doubts.summarise_run(run), run.results()
    return [
        verdict
        for scenario in run.scenarios
        for text in scenario.gates
        for verdict in gate.verdicts(text, scenario, summaries, results, cells)
    ]


def verdict(found: Comparison, judged: Sequence[gate.Verdict], *, blocks: int, seconds: float) -> Verdict:
    """The whole check in one word: a regression that is shown, or a gate that fails, outweighs what could not
    be measured, that outweighs what is open.
    """
    failing = [each.text for each in judged if each.outcome == gate.FAIL]
    open_gates = [each.text for each in judged if each.outcome == gate.UNDECIDED]
    worse = [c for c in found.checks if c.verdict == compare.WORSE]
    missing = [c for c in found.checks if is_missing(c)]
    left = [c for c in found.checks if c not in missing and not c.passes]
    counted = units.plural(len(found.checks), "check"), units.plural(blocks, "block")
    how = ", ".join([*counted, units.format_duration(seconds)])
    margin = f"{found.margin * 100:.3g} %"
    if worse:
        return Verdict(word=REGRESSION, text=" ".join([f"{_named(found, worse)}.", *failing]), how=how)
    if missing:
        reason = missing[0].why.rstrip(".")
        return Verdict(word=NOT_MEASURED, text=f"{reason}.", how=how)
    if failing:
        return Verdict(word=REGRESSION, text=" ".join(failing), how=how)
    if left:
        text = f"Neither shown to be worse by more than {margin} nor to be no worse: {_named(found, left)}."
        return Verdict(word=UNDECIDED, text=text, how=how)
    if open_gates:
        return Verdict(word=UNDECIDED, text=" ".join(open_gates), how=how)
    text = f"Every check is shown to be no worse than the margin of {margin} allows."
    return Verdict(word=NO_REGRESSION, text=text, how=how)


def is_missing(check: Check) -> bool:
    """Whether trials failed, so that there is nothing to compare."""
    return check.value is None and any(check.pair.failed)


def _named(found: Comparison, checks: Sequence[Check]) -> str:
    words = [
        f"{labels.metric_text(c.metric)} of {comparison.cell_name(found, c)} {comparison.change(c)}"
        for c in checks
    ]
    return labels.listed(labels.first_of(words, comparison.NAMED))


def as_markdown(found: Comparison, whole: Verdict) -> str:
    """The verdict above everything that ``compare`` says."""
    head = f"## {EMOJI[whole.word]} celery-bench: {whole.word}\n\n{whole.text}\n\n<sub>{whole.how}</sub>\n\n"
    return head + comparison.as_markdown(found)


def as_json(found: Comparison, whole: Verdict) -> dict[str, Any]:
    """The verdict and every check."""
    return {"verdict": whole.word, "text": whole.text, "how": whole.how, **comparison.as_json(found)}


def as_junit(found: Comparison, whole: Verdict, *, undecided_passes: bool) -> str:
    """A test case for each check: worse is a failure, what could not be measured an error, open is a failure
    too, or skipped where ``undecided_passes``.
    """
    suite = ElementTree.Element("testsuite", name=f"celery-bench: {comparison.title(found)}")
    counts = dict.fromkeys(("failures", "errors", "skipped"), 0)
    for check in found.checks:
        name = f"{labels.metric_text(check.metric)}: {comparison.cell_name(found, check)}"
        case = ElementTree.SubElement(suite, "testcase", classname=check.pair.scenario, name=name)
        kind, count = _junit_kind(check, undecided_passes=undecided_passes)
        if kind:
            counts[count] += 1
            message = f"{check.verdict}: {comparison.change(check)} {check.why}".strip()
            ElementTree.SubElement(case, kind, message=message)
    suite.attrib |= {"tests": str(len(found.checks)), **{name: str(n) for name, n in counts.items()}}
    ElementTree.SubElement(suite, "system-out").text = f"{whole.word}: {whole.text}\n{whole.how}"
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _junit_kind(check: Check, *, undecided_passes: bool) -> tuple[str, str]:
    """Element and counter of a check that is not well; empty for one that is."""
    if check.verdict == compare.WORSE:
        return "failure", "failures"
    if is_missing(check):
        return "error", "errors"
    if check.passes:
        return "", ""
    return ("skipped", "skipped") if undecided_passes else ("failure", "failures")
