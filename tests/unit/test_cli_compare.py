"""``celery-bench compare``: every format, from stored runs, and what is wrong with the question."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench import errors, store
from bench.cli import cli

Call = Callable[..., Result]


@pytest.fixture(name="call")
def _call(believed: list[store.Run], tmp_path: Path) -> Call:
    """The runs ``io-gevent`` (zip: prefork 2, gevent 20), ``prefetch`` (1, 16) and others are there."""
    places = ["--results", str(believed[0].path.parent), "--reports", str(tmp_path)]

    def call(*args: str) -> Result:
        return CliRunner().invoke(cli, [*places, "compare", *args])

    return call


WITHIN = ("io-gevent", "--by", "pool", "--baseline", "prefork")


def data(done: Result) -> Any:
    assert done.exit_code == errors.EXIT_OK, done.output
    return json.loads(done.output)


def test_as_text(call: Call) -> None:
    text = call(*WITHIN).output
    assert "Better: throughput" in text and "✓ better" in text
    assert "paired; intervals are 95 %" in text


def test_as_json(call: Call) -> None:
    found = data(call(*WITHIN, "--metric", "throughput", "--format", "json"))
    (check,) = found["checks"]
    assert (check["verdict"], check["candidate"], found["paired"]) == ("better", "gevent", True)
    assert check["lower"] < check["ratio"] < check["upper"]
    assert len(check["trials"]["base"]) == len(check["trials"]["candidate"]) == 4


def test_as_markdown(call: Call) -> None:
    text = call(*WITHIN, "--format", "markdown").output
    assert text.startswith("### gevent against prefork")
    assert "✅ better" in text
    assert all(line.count(" | ") == 6 for line in text.splitlines() if line.startswith("| "))


def test_as_a_page_with_both_pictures(call: Call, tmp_path: Path) -> None:
    done = call(*WITHIN, "--format", "html")
    page = tmp_path / "compare-io-gevent-pool-prefork" / "index.html"
    assert done.output.strip() == str(page)
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 2 and "Response time of the tasks" not in html
    assert "Service time of the tasks" in html, "it is a flood"
    assert {p.name for p in page.parent.iterdir()} == {
        "index.html", "compare.md", "compare.json",
        "ratios.svg", "ratios.png", "distributions.svg", "distributions.png",
    }  # fmt: skip


def test_two_runs_are_two_sessions(call: Call) -> None:
    found = data(call("prefetch", "free", "--format", "json"))
    assert [d["kind"] for d in found["doubts"]] == ["other-session"]
    assert not found["paired"]
    assert {check["metric"] for check in found["checks"]} == {
        "throughput", "cpu_per_task", "memory", "failed", "lost",
    }  # fmt: skip


def test_the_margin_is_a_percentage(call: Call) -> None:
    assert data(call(*WITHIN, "--margin", "7%", "--format", "json"))["margin"] == pytest.approx(0.07)
    done = call(*WITHIN, "--margin", "lots")
    assert done.exit_code == errors.EXIT_USAGE
    assert "write 2% or 0.02" in done.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("io-gevent",), "One run was given"),
        (("io-gevent", "free"), "no cell in common"),
        (("io-gevent", "--by", "pool"), "needs to know what to compare with"),
        (("io-gevent", "free", "--by", "pool"), "inside one run"),
        (("io-gevent", "free", "--baseline", "x"), "value of an axis"),
        (("io-gevent", "--by", "pol", "--baseline", "x"), "has no axis 'pol'"),
        (("io-gevent", "--by", "pool", "--baseline", "x"), "never 'x'"),
        (("io-gevent", "free", "--metric", "thruput"), "not a metric"),
        (("nowhere", "free"), "nowhere"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(call: Call, args: tuple[str, ...], words: str) -> None:
    done = call(*args)
    told = done.exception
    assert isinstance(told, errors.BenchError), done.output
    assert told.exit_code == errors.EXIT_USAGE
    assert words in told.message and told.hint


def test_a_run_is_not_compared_with_itself(call: Call) -> None:
    done = call("io-gevent", "io-gevent")
    assert (
        isinstance(done.exception, errors.UsageError) and "Both sides are io-gevent" in done.exception.message
    )


def half_written(run: store.Run, target: Path) -> Path:
    """A copy as a power cut may leave it: the last line torn, the last trial's folder not yet named."""
    shutil.copytree(run.path, target)
    lines = (target / "trials.jsonl").read_bytes()
    (target / "trials.jsonl").write_bytes(lines[:-100])
    last = run.results()[-1].trial
    (target / "trials" / last).rename(target / "trials" / f"{last}.part")
    return target


def test_a_half_written_run_is_compared_by_the_trials_it_has(
    believed: list[store.Run], call: Call, tmp_path: Path
) -> None:
    run = next(run for run in believed if run.name == "io-gevent")
    torn = half_written(run, tmp_path / "torn")
    found = data(call(str(torn), *WITHIN[1:], "--metric", "throughput", "--format", "json"))
    (check,) = found["checks"]
    sides = check["trials"]
    assert (len(sides["base"]), len(sides["candidate"])) == (3, 3), "the block that is whole on both sides"
    assert check["verdict"] == "better"
    assert call(str(torn), *WITHIN[1:], "--format", "html").exit_code == errors.EXIT_OK


def test_a_run_that_is_not_whole_is_a_doubt_and_an_empty_one_no_side(
    believed: list[store.Run], call: Call, tmp_path: Path
) -> None:
    run = next(run for run in believed if run.name == "io-gevent")
    torn = half_written(run, tmp_path / "torn")
    doubts = data(call(run.name, str(torn), "--format", "json"))["doubts"]
    (told,) = [doubt for doubt in doubts if doubt["kind"] == "unfinished"]
    assert told["text"] == "Of torn 7 of 8 trials are there." and "--resume torn" in told["advice"]
    (torn / "trials.jsonl").write_text("")
    done = call(run.name, str(torn))
    assert isinstance(done.exception, errors.UsageError) and done.exception.message == "torn has no trial."


def test_a_metric_that_is_named_twice_counts_once(call: Call) -> None:
    twice = data(call(*WITHIN, "--metric", "throughput", "--metric", "throughput", "--format", "json"))
    assert len(twice["checks"]) == 1


def test_runs_of_another_format_and_damaged_ones_are_refused(
    believed: list[store.Run], call: Call, tmp_path: Path
) -> None:
    for number, (old, new, told) in enumerate(
        [('"format": 2', '"format": 1', "has format 1"), ('"format"', '"formt"', "cannot be read")]
    ):
        target = tmp_path / str(number)
        shutil.copytree(believed[0].path, target)
        file = target / "run.json"
        file.write_text(file.read_text().replace(old, new))
        for words in ((str(target), believed[0].name), (believed[0].name, str(target))):
            done = call(*words)
            assert isinstance(done.exception, errors.UsageError) and told in done.exception.message
