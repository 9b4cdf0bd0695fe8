"""The clients of a closed loop: threads of the loader that call a task, wait for its result, and call again.

Each has a connection and a result backend of its own, as the threads of a web server have. A response is
thus what somebody feels who calls ``result.get()``, the way of the result included.
"""

import resource
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from typing import Any


class Clients:
    """``number`` clients of a ``loader``."""

    def __init__(self, loader: Any, number: int) -> None:
        self._loader = loader
        self._number = number
        self._connected = threading.Barrier(number + 1)
        self._begun = threading.Event()
        self._errors: list[BaseException] = []
        _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a client keeps three connections
        self._connections = [loader.app.connection_for_write() for _ in range(number)]
        self._producers = [loader.app.amqp.Producer(c, auto_declare=False) for c in self._connections]

    def run(self, choice: Sequence[int], begin: Callable[[], object]) -> None:
        """Connect all, then ``begin``, then task after task to whoever is free, until all have returned.

        A result that never comes is waited for: the harness sees that nothing moves and ends the trial.
        Raises what a client ran into.
        """
        numbers = count().__next__
        threads = [
            threading.Thread(target=self._client, args=(n, choice, numbers), daemon=True)
            for n in range(self._number)
        ]
        for thread in threads:
            thread.start()
        with suppress(threading.BrokenBarrierError):
            self._connected.wait()
            begin()
            self._begun.set()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _client(self, n: int, choice: Sequence[int], numbers: Callable[[], int]) -> None:
        producer = self._producers[n]
        try:
            self._connect(n, producer)
            self._connected.wait()
            self._begun.wait()
            while (seq := numbers()) < len(choice) and not self._errors:
                self._call(producer, seq, self._loader.kinds[choice[seq]])
        except threading.BrokenBarrierError:
            return
        except Exception as error:
            self._errors.append(error)
            self._connected.abort()

    def _connect(self, n: int, producer: Any) -> None:
        """One call and its result, of a task of Celery's that does nothing, before anything counts: a client
        that has just been started is not what anybody waits for.
        """
        queues = self._loader.spec["warm_queues"]
        task = self._loader.app.tasks["celery.accumulate"]
        task.apply_async(queue=queues[n % len(queues)], producer=producer).get()

    def _call(self, producer: Any, seq: int, kind: Any) -> None:
        loader, events = self._loader, self._loader.events
        write = loader.log.write
        write(events.INTENDED, seq)
        result = kind.publish(seq, loader.marks(seq), producer)
        write(events.SENT, seq)
        result.get(propagate=False)
        write(events.RETURNED, seq)
