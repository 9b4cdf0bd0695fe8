"""``celery-bench plan``: every format, from runs of the fake executor, and what is wrong with a question."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bench import analyse, errors, jsonable, plan, scenario, store
from bench.cli import cli
from bench.measured import Estimate
from bench.report import plan_words, plans
from bench.report.plan_words import Told
from bench.run.fake import Fake
from bench.search.step import Slo
from bench.sizing import advise, evidence, predict, verify
from bench.sizing import plan as sizing

Call = Callable[..., Result]
HEAD = "question: How many?\nworkload: {task: io.sleep, kwargs: {seconds: 0.05}}\n"
FLOOD = "load: {shape: flood, tasks: 120}\n"
RUNS = {
    "one": f"{HEAD}{FLOOD}repeats: 2\nmatrix: {{workers.concurrency: [2, 4]}}\n",
    "paced": HEAD
    + "repeats: 2\nmatrix:\n  workers.concurrency: [4, 8]\n  load:\n    full: {shape: flood, tasks: 100}\n"
    "    some: {shape: poisson, rate: 40/s, for: 5s}\n",
    "pools": f"{HEAD}{FLOOD}repeats: 1\nmatrix:\n  workers.pool: [prefork, threads]\n"
    "  workers.concurrency: [4, 8]\n",
    "zipped": f"{HEAD}{FLOOD}repeats: 1\nmatrix:\n  zip: {{workers.pool: [prefork, threads],"
    " workers.concurrency: [2, 8]}\n",
    "works": f"question: How many?\n{FLOOD}repeats: 1\nmatrix:\n  workload:\n"
    "    io: {task: io.sleep, kwargs: {seconds: 0.05}}\n    cpu: {task: cpu.spin, kwargs: {ms: 4}}\n"
    "  workers.concurrency: [2, 4]\n",
    "broken": f"{HEAD}{FLOOD}repeats: 1\nmatrix: {{workers.concurrency: [2, 4]}}\n",
    "canvas": "question: How many?\nworkload: {chain: [noop, noop]}\n"
    f"{FLOOD}repeats: 1\nmatrix: {{workers.concurrency: [2, 4]}}\n",
}


@pytest.fixture(scope="module", name="results")
def _results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plans")
    for name, body in RUNS.items():
        file = root / f"{name}.yaml"
        file.write_text(body, encoding="utf-8")
        asked = scenario.load(file)
        meta = {
            "created": "2026-11-20T21:15:00+00:00", "seed": 7, "scenarios": [jsonable.plain(asked)],
            "host": {"cpu": "A CPU", "cores": 2, "memory": 8 * 2**30, "python": "3.11"},
            "versions": {"celery": "5.7.0"},
        }  # fmt: skip
        run = store.create(root / "results", name, meta)
        fake = Fake(broken={cell.id: "died" for cell in asked.cells} if name == "broken" else {})
        for trial in plan.trials([asked], 7):
            recording = fake(trial)
            run.append(analyse.result(trial, recording), recording)
    return root / "results"


@pytest.fixture(name="call")
def _call(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Simulations of few tasks: fast, and no worse for what is tested here."""
    monkeypatch.setattr(predict, "TASKS", (2000, 3000))

    def call(*args: str) -> Result:
        return CliRunner().invoke(cli, ["--results", str(results), "--reports", str(tmp_path), "plan", *args])

    return call


ASK = ("--rate", "100/s", "--slo", "p95(response) < 200ms")


def data(done: Result) -> Any:
    assert done.exit_code == errors.EXIT_OK, done.output
    return json.loads(done.output)


def test_the_answer_is_the_first_sentence(call: Call) -> None:
    done = call("one", *ASK)
    assert done.exit_code == errors.EXIT_OK, done.output
    text = " ".join(done.output.split())
    assert "× prefork -c" in text.split("p95 response")[0] and "at 100/s." in text
    assert "celery -A yourapp worker -P prefork -c" in text and "What if: p95 response" in text


def test_as_json_with_everything(call: Call) -> None:
    found = data(call("one", *ASK, "--burst", "3x for 10m every 1h", "--json"))
    (best,) = found["plans"]
    at = best["at_rate"]
    assert best["nodes"] * best["concurrency"] >= 100 * 1.2 * 0.05, "as many slots as tasks run at a time"
    assert at["metrics"]["p95(response)"] < 0.2 and best["with_headroom"]["rate"] == pytest.approx(120.0)
    assert at["lower"]["p95(response)"] < at["metrics"]["p95(response)"] < at["upper"]["p95(response)"]
    assert best["knee"] < best["capacity"] and len(best["what_if"]) >= 3
    assert best["burst"]["rate"] == 300.0 and found["verified"] is None


def test_headroom_takes_more_slots(call: Call) -> None:
    little, much = (
        data(call("one", *ASK, "--headroom", share, "--json"))["plans"][0] for share in ("0%", "95%")
    )
    assert little["nodes"] * little["concurrency"] < much["nodes"] * much["concurrency"]


def test_as_markdown(call: Call) -> None:
    text = call("one", *ASK, "--format", "markdown").output
    assert text.startswith("### 100/s with p95(response)") and "| of -c" in text and "few-trials" in text


def test_as_a_page_with_both_pictures_and_the_measured_points(call: Call, tmp_path: Path) -> None:
    done = call("paced", *ASK, "--format", "html", "--nodes", "2", "--concurrency", "8")
    page = tmp_path / "plan-paced" / "index.html"
    assert done.output.strip() == str(page), done.output
    assert page.read_text(encoding="utf-8").count("<svg") == 2
    assert {p.name for p in page.parent.iterdir()} == {
        "index.html", "plan.md", "plan.json", "rate.svg", "rate.png", "slowdown.svg", "slowdown.png",
    }  # fmt: skip


def test_every_pool_is_planned_and_only_chooses(call: Call) -> None:
    both = data(call("pools", *ASK, "--json"))["plans"]
    assert {p["pool"] for p in both} == {"prefork", "threads"}
    assert both[0]["pool"] == "threads", "a process less for each slot"
    (lone,) = data(call("pools", *ASK, "--only", "workers.pool=prefork", "--json"))["plans"]
    assert lone["pool"] == "prefork"


def test_a_larger_host_takes_fewer(call: Call) -> None:
    small, large = (
        data(call("one", "--rate", "900/s", *ASK[2:], "--host", host, "--json"))["plans"][0]
        for host in ("cores=2,memory=300MiB", "cores=8,memory=16GiB")
    )
    assert small["hosts"] > large["hosts"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nowhere", *ASK), "nowhere"),
        (("zipped", *ASK), "measured with 2 slots"),
        (("broken", *ASK), "No trial of it has finished"),
        (("canvas", *ASK), "canvases"),
        (("works", *ASK), "2 workloads"),
        (("one", "--rate", "100/s", "--slo", "p95(response) < 20ms"), "cannot be kept by any number"),
        (("pools", *ASK, "--host", "memory=30MiB"), "threads: No host is big enough"),
        (("one", "--rate", "100/s", "--slo", "p999(response) < 2s"), "does not foretell p999(response)"),
        (("one", "--rate", "1e400/s", *ASK[2:]), "No workers get through 1e400/s"),
        (("one", "--rate", "100/s", "--slo", "p95(respons) < 2s"), "there is no metric"),
        (("one", "--rate", "100/s", "--slo", "throughput < 2/s"), "an SLO limits"),
        (("one", "--rate", "100/s", "--slo", "p95(response) > 2s"), "upper limit"),
        (("one", "--rate", "100/s", "--slo", "quick"), "is not a gate"),
        (("one", "--rate", "fast", *ASK[2:]), "is not a rate"),
        (("one", "--rate", "0/s", *ASK[2:]), "needs no workers"),
        (("one", *ASK, "--host", "cores=8,disk=4"), "is not a host"),
        (("one", *ASK, "--host", "cores=8,cores=4"), "cores stands twice"),
        (("one", *ASK, "--host", "cores=many"), "not a number of cores"),
        (("one", *ASK, "--host", "cores=0"), "above 0"),
        (("one", *ASK, "--host", "cores=inf"), "not a number of cores"),
        (("one", *ASK, "--prefetch", "70000"), "reserves without any limit"),
        (("one", *ASK, "--nodes", "2001"), "At most 2000 nodes"),
        (("one", *ASK, "--mix", "3:1"), "2 weights, and the workload 1 kind"),
        (("one", *ASK, "--mix", "many"), "is not a weight"),
        (("one", *ASK, "--host", "memory=60MiB"), "No host is big enough"),
        (("one", *ASK, "--burst", "sometimes"), "is not a burst"),
        (("one", *ASK, "--concurrency", "9"), "more than twice the largest"),
        (("one", *ASK, "--nodes", "1", "--concurrency", "2"), "1 node with concurrency 2 cannot keep"),
        (("one", "--rate", "9000000/s", *ASK[2:]), "No number of nodes"),
        (("pools", *ASK, "--only", "workers.pol=x"), "does not differ"),
    ],
)
def test_a_wrong_question_says_what_is_wrong(call: Call, args: tuple[str, ...], words: str) -> None:
    done = call(*args)
    told = done.exception
    assert isinstance(told, errors.BenchError), done.output
    assert told.exit_code == errors.EXIT_USAGE
    assert words in told.message and told.hint, told.message


def test_what_cannot_be_verified_here_is_planned_all_the_same(call: Call) -> None:
    done = call("one", *ASK, "--host", "cores=64,memory=64GiB", "--verify")
    assert done.exit_code == errors.EXIT_INCONCLUSIVE
    assert "Not verified: it is for a host of 64 cores" in done.output and "× prefork -c" in done.output


def test_the_others_are_told_with_their_memory(call: Call) -> None:
    text = " ".join(call("pools", *ASK, "--burst", "3x for 10m every 1h").output.split())
    assert "Also holds: " in text and "It needs " in text
    assert "Burst 3x for 10 min every 1 h (300/s)" in text


def test_prediction_and_measurement_stand_side_by_side(results: Path) -> None:
    run = store.open_run(results, "one")
    cells = [cell for asked in run.scenarios for cell in asked.cells]
    ask = advise.Ask(
        rate=40.0, slo=Slo(metric="p95(response)", limit=0.2), headroom=0.0,
        host=predict.Host(cores=2, memory=2**33),
    )  # fmt: skip
    found = sizing.of("one", list(evidence.families(run, cells)), ask, 2)
    asked = verify.scenario(found.best, "one")
    trials = plan.trials([asked], 3)
    checked = verify.compare(found.best, [analyse.result(t, Fake()(t)) for t in trials])
    told = Told(plans=found, verified=checked, run="check")
    by_metric = {one.metric: one for one in checked}
    assert by_metric["throughput"].ratio == pytest.approx(1.0, abs=0.1)
    assert by_metric["p95(response)"].ratio == pytest.approx(1.0, abs=0.25)
    assert by_metric["memory"].ratio == pytest.approx(1.0, abs=0.05), "it is the same fake"
    text = plans.as_markdown(told)
    assert "| predicted | measured | ratio |" in text and "Prediction and measurement (check)" in text
    assert "Measured p95 response is " in text and "within its interval" in text
    off = replace(by_metric["p95(response)"], measured=Estimate(point=9.0))
    assert "outside its interval: believe the measurement" in plan_words.judged(
        replace(told, verified=(off,))
    )
    bare = replace(off, predicted=Estimate(point=0.1))
    assert "has no interval to judge that by" in plan_words.judged(replace(told, verified=(bare,)))
    assert [m["metric"] for m in plans.as_json(told)["verified"]["metrics"]] == [c.metric for c in checked]
