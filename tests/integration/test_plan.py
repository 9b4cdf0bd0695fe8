"""A plan made from two real concurrencies, run on this machine: prediction and measurement agree, loosely."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import errors
from bench.cli import cli
from bench.sizing import predict, verify

pytestmark = [pytest.mark.real, pytest.mark.alone]

SCENARIO = """\
question: How do sleeps scale?
workload: {task: io.sleep, kwargs: {seconds: 0.05}}
load: {shape: flood, tasks: 100}
workers: {prefetch: 1}
matrix: {workers.concurrency: [2, 4]}
repeats: 1
"""


def test_a_plan_from_two_concurrencies_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "TASKS", (3000, 5000))
    monkeypatch.setattr(verify, "REPEATS", 1)
    monkeypatch.setattr(verify, "LEAST_S", 4.0)
    file = tmp_path / "sleeps.yaml"
    file.write_text(SCENARIO, encoding="utf-8")

    def call(*args: str) -> dict[str, object]:
        done = CliRunner().invoke(cli, ["--results", str(tmp_path / "results"), *args, "--json"])
        assert done.exit_code in (errors.EXIT_OK, errors.EXIT_INCONCLUSIVE), (done.output, done.exception)
        return json.loads(done.stdout)

    call("run", str(file), "--no-report")
    slo = ("--slo", "p50(response) < 300ms", "--concurrency", "4", "--prefetch", "1")
    found = call("plan", "latest", "--rate", "40/s", *slo, "--headroom", "10%", "--verify")
    (best,) = found["plans"]  # type: ignore[misc, call-overload]
    assert (best["nodes"], best["hosts"]) == (1, 1), "44/s × 50 ms are 2.2 of 4 slots"
    assert 55 <= best["capacity"] <= 80, "four slots of 50 ms do 80/s at most"
    assert best["model"]["service"] == pytest.approx(0.052, rel=0.1)
    assert found["verified"], "it fits every machine"
    ratio = {m["metric"]: m["ratio"] for m in found["verified"]["metrics"]}  # type: ignore[index]
    assert ratio["throughput"] == pytest.approx(1.0, abs=0.1)
    assert ratio["utilisation"] == pytest.approx(1.0, abs=0.25)
    assert ratio["memory"] == pytest.approx(1.0, abs=0.25)
    assert 0.75 < ratio["p50(response)"] < 1.4
    again = call("plan", "latest", "--rate", "40/s", *slo)
    assert again["run"] == found["run"], "not from its verification, which has one layout only"
