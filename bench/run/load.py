"""The loader: a process of its own that publishes on schedule and notes intended and actual times.

Started by path like the worker, with the user's app. It obeys one line a time on stdin and answers with one
JSON line on stdout: ``warm`` (a few tasks to each node's own queue), ``load`` (the trial's tasks). A schedule
is fixed beforehand; a late loader is late, it never moves the schedule.
"""

import importlib.util
import json
import sys
import time
from array import array
from pathlib import Path
from typing import Any

TIMEOUT_S = 10.0
LEAD_NS = 50_000_000
"""A paced load begins this long after its consumers were let in."""


def _eventlog() -> Any:
    path = Path(__file__).with_name("eventlog.py")
    spec = importlib.util.spec_from_file_location("celery_bench_eventlog", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Loader:
    """Publishes numbered tasks of a mix to the trial's queues."""

    def __init__(self, spec: dict[str, Any]) -> None:
        from celery.app.utils import find_app

        self.spec = spec
        importlib.import_module(spec["module"])  # before find_app looks for it in the current folder
        self.app = find_app(spec["app"])
        self.app.conf.update(spec["settings"])
        self.app.finalize()
        self.events = _eventlog()
        self.log = self.events.EventLog(spec["folder"], -1)
        self.calls = [(self.app.tasks[c["task"]], c["args"], c["kwargs"]) for c in spec["calls"]]
        self.due_s = _numbers("d", spec["due"])
        self.choice = _numbers("h", spec["choice"])
        self.producer = self.app.producer_pool.acquire(block=True)

    def publish(self, seq: int, call: int, queue: str) -> None:
        """Send one task through Celery's own ``apply_async``."""
        task, args, kwargs = self.calls[call]
        task.apply_async(
            args,
            kwargs,
            queue=queue,
            task_id=f"{self.spec['tag']}{seq & (1 << 48) - 1:012x}",
            headers={"bench_seq": seq},
            producer=self.producer,
        )

    def warm(self) -> dict[str, Any]:
        """Send each node its warm-up tasks, every kind in turn; they count down from −1."""
        seq = 0
        for queue in self.spec["warm_queues"]:
            for i in range(self.spec["warmup"]):
                seq -= 1
                self.publish(seq, i % len(self.calls), queue)
        return {"warmed": -seq}

    def flood(self) -> dict[str, Any]:
        """Fill the queue, then let the workers in: that moment is every task's intended time."""
        for seq, call in enumerate(self.choice):
            self.publish(seq, call, self.spec["queue"])
            self.log.write(self.events.SENT, seq)
        start = self.open_gate()
        for seq in range(len(self.choice)):
            self.log.write(self.events.INTENDED, seq, t_ns=start)
        return {"loaded": len(self.choice)}

    def paced(self) -> dict[str, Any]:
        """Let the workers in, then publish each task when it is due."""
        start = self.open_gate() + LEAD_NS
        write, intended, sent = self.log.write, self.events.INTENDED, self.events.SENT
        for seq, (due_s, call) in enumerate(zip(self.due_s, self.choice, strict=True)):
            due = start + round(due_s * 1e9)
            while (left := due - time.monotonic_ns()) > 0:
                time.sleep(left / 1e9)
            write(intended, seq, t_ns=due)
            self.publish(seq, call, self.spec["queue"])
            write(sent, seq)
        return {"loaded": len(self.choice)}

    def open_gate(self) -> int:
        """Let every node consume the trial's queue; when (ns), or TimeoutError when one does not answer.

        A Redis consumer learns of a new queue only when its blocking pop on the old ones returns, up to a
        second later: so each gets one message more on its own queue, a task of Celery's that does nothing.
        """
        nodes = self.spec["nodes"]
        told = time.monotonic_ns()
        replies = self.app.control.broadcast(
            "add_consumer",
            arguments={"queue": self.spec["queue"]},
            destination=nodes,
            reply=True,
            limit=len(nodes),
            timeout=TIMEOUT_S,
        )
        answered = {name for reply in replies or [] for name in reply}
        if answered != set(nodes):
            raise TimeoutError(f"not let in after {TIMEOUT_S:.0f} s: {', '.join(set(nodes) - answered)}")
        if self.app.connection_for_write().transport.driver_type == "amqp":
            return told  # there the first node begins before the last has answered
        opened = time.monotonic_ns()
        for queue in self.spec["warm_queues"]:
            self.app.tasks["celery.accumulate"].apply_async(queue=queue, producer=self.producer)
        return opened


def _numbers(kind: str, path: str) -> array:  # type: ignore[type-arg]  # array is generic from 3.12
    values = array(kind)
    values.frombytes(Path(path).read_bytes())
    return values


def _answer(stream: Any, data: dict[str, Any]) -> None:
    stream.write(json.dumps(data) + "\n")
    stream.flush()


def main() -> None:
    """Answer ``ready``, then each command until stdin closes."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    loader = Loader(spec)
    answers = sys.stdout
    sys.stdout = sys.stderr  # what the app prints goes to the log
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        command = line.strip()
        if command == "warm":
            answer = loader.warm()
        else:
            answer = loader.flood() if spec["shape"] == "flood" else loader.paced()
        _answer(answers, answer)


if __name__ == "__main__":
    main()
