"""A headless Chromium driven over its debugging pipe (standard library only), and a report to open in it.

Without Chromium these tests are skipped here and fail in CI, where it is installed.
"""

import fcntl
import itertools
import json
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import analyse, jsonable, plan, scenario, store
from bench.report import page
from bench.run.fake import Fake

SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
)
WRITTEN = {
    "changing": """
question: Which pool takes a load that changes?
workers: {concurrency: 2}
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load:
  - {shape: constant, rate: 60/s, for: 4s}
  - {shape: ramp, from: 60/s, to: 160/s, for: 4s}
  - {shape: burst, tasks: 250}
  - {shape: steps, rates: [40/s, 80/s, 120/s], for: 6s}
matrix:
  workers.pool: [prefork, threads, gevent]
  workers.prefetch: [1, 4]
metric: p95(response)
""",
    "most": """
question: How many tasks a second does each pool sustain?
workers: {concurrency: 2}
workload: {task: io.sleep, kwargs: {seconds: 0.02}}
load: {shape: saturate, slo: "p95(response) < 100ms", for: 1s}
matrix:
  workers.pool: [prefork, threads, gevent]
  workers.nodes: [1, 2]
metric: capacity
""",
}
"""Scenarios whose loads change over time."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Tab:
    """One page: ``open`` it, ``evaluate`` JavaScript in it; ``events`` holds what Chromium reported."""

    def __init__(self, chromium: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def descriptors() -> None:
            """Chromium reads commands from descriptor 3 and writes to 4."""
            source, sink = (
                fcntl.fcntl(to_browser, fcntl.F_DUPFD, 10),
                fcntl.fcntl(from_browser, fcntl.F_DUPFD, 10),
            )
            os.dup2(source, 3)
            os.dup2(sink, 4)

        self._process = subprocess.Popen(
            [chromium, *SWITCHES, f"--user-data-dir={profile}"],
            preexec_fn=descriptors,  # noqa: PLW1509  no threads here
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._ids = itertools.count(1)
        self._buffer = b""
        self._session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._read, 1 << 16)
            assert piece, "Chromium ended"
            self._buffer += piece
        text, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(text))

    def open(self, path: Path, width: int = 1280, *, dark: bool = False) -> None:
        """Show the file in a window of this width and wait until it is loaded."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self._next())

    def evaluate(self, script: str) -> Any:
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def close(self) -> None:
        self._session = ""
        try:
            self.call("Browser.close")
            self._process.wait(timeout=10)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    chromium = next((found for name in NAMES if (found := shutil.which(name))), None)
    if chromium is None:
        message = f"none of {', '.join(NAMES)} is on PATH"
        if os.environ.get("CI"):
            pytest.fail(f"{message}, and in CI it must be")
        pytest.skip(message)
    opened = Tab(chromium, tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a shipped scenario or of one ``WRITTEN``, simulated: two blocks, one cell broken."""
    root = tmp_path_factory.mktemp("browser")
    done: dict[str, Path] = {}

    def write(name: str) -> Path:
        if name not in done:
            file = scenario.find(name) if name not in WRITTEN else root / f"{name}.yaml"
            if name in WRITTEN:
                file.write_text(WRITTEN[name], encoding="utf-8")
            asked = scenario.load(file, repeats=2)
            meta = {
                "created": "2026-11-20T21:15:00+00:00",
                "seed": 7,
                "scenarios": [jsonable.plain(asked)],
                "host": {"cores": 2},
            }
            run = store.create(root / "results", name, meta)
            execute = Fake(
                broken={asked.cells[0].id: "worker <script>died()</script>"},
                failing=0.002,
                host=lambda trial: 1 + 0.1 * math.sin(trial.position),
            )
            for trial in plan.trials([asked], 7):
                recording = execute(trial)
                run.append(analyse.result(trial, recording), recording)
            done[name] = page.write(run, root / "reports")
        return done[name]

    return write
