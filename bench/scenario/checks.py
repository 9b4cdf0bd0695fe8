"""What no single key shows: tasks that don't take their arguments, settings that don't go together."""

import functools
import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bench import model
from bench.scenario.keys import URL_SCHEMES
from bench.scenario.load_checks import load_mistakes
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, shown

_PREFETCH_MOST = 65_535
"""Above this kombu turns the prefetch limit off with a warning (PREFETCH_COUNT_MAX in kombu/common.py)."""

Catalogue = Mapping[str, Callable[..., Any]]


def installed(package: str) -> bool:
    """Whether ``package`` can be imported here."""
    return importlib.util.find_spec(package) is not None


class Checker:
    """Checks many setups of one scenario; what can be found out once is found out once."""

    def __init__(
        self, catalogue: Catalogue | None = None, check_gate: Callable[[str], object] | None = None
    ) -> None:
        from bench.workloads.catalogue import EXTRA, PACKAGES, TASKS

        self._catalogue = TASKS if catalogue is None else catalogue
        self._packages, self._extra = PACKAGES, EXTRA
        self._check_gate = check_gate
        self._installed = functools.cache(installed)
        self._signature = functools.cache(inspect.signature)

    def check(self, setup: model.Setup) -> Iterator[Mistake]:
        """Every mistake in one setup."""
        yield from broker_mistakes(setup.broker)
        yield from self._workers(setup.workers)
        for index, call in enumerate(setup.workload):
            yield from self.call(call, ("workload", index))
        yield from load_mistakes(setup.load, self._check_gate)

    def _workers(self, workers: model.Workers) -> Iterator[Mistake]:
        pool, concurrency, prefetch = workers.pool, workers.concurrency, workers.prefetch
        if pool == "solo" and concurrency != 1:
            yield Mistake(
                path=("workers", "concurrency"),
                also=(("workers", "pool"),),
                text=f"the solo pool runs one task at a time, so concurrency {concurrency} is impossible. "
                "Write 1, choose nodes instead, or leave the cell out (`exclude:`, `zip:`)",
            )
        if pool in model.GREEN_POOLS and not self._installed(pool):
            text = (
                f"the {pool} pool needs the package {pool}, which is not installed. Try: pip install {pool}"
            )
            yield Mistake(path=("workers", "pool"), text=text)
        if concurrency * prefetch > _PREFETCH_MOST:
            yield Mistake(
                path=("workers", "prefetch"),
                also=(("workers", "concurrency"),),
                text=f"prefetch {prefetch} × concurrency {concurrency} is above {_PREFETCH_MOST}: there "
                "Celery turns the limit off. Write 0 if you mean unlimited",
            )

    def call(self, call: model.TaskCall, path: Steps) -> Iterator[Mistake]:
        """What is wrong with a task and its arguments: no such task, or one that does not take them."""
        function = self._catalogue.get(call.task)
        if function is None:
            near = did_you_mean(call.task, self._catalogue)
            yield Mistake(path=(*path, "task"), text=f"there is no task {shown(call.task)}. {near}")
            return
        package = self._packages.get(call.task)
        if package is not None and not self._installed(package):
            text = (
                f"{call.task} needs a package that is not installed ({package}). "
                f"Try: pip install '{self._extra}'"
            )
            yield Mistake(path=(*path, "task"), text=text)
        signature = self._signature(function)
        for name in call.kwargs:
            if name not in signature.parameters and not _takes_any(signature):
                text = (
                    f"{call.task} has no argument {shown(name)}: it takes {_takes(signature)}. "
                    f"{did_you_mean(name, signature.parameters)}"
                )
                yield Mistake(path=(*path, "kwargs", name), text=text.strip(), also=((*path, "task"),))
                return
        try:
            bound = signature.bind(*call.args, **call.kwargs)
        except TypeError as error:
            key = "kwargs" if call.kwargs or not call.args else "args"
            text = f"{call.task} takes {_takes(signature)}: {error}"
            yield Mistake(path=(*path, key), text=text, also=((*path, "task"), (*path, "args")))
            return
        for name, value in bound.arguments.items():
            wanted, is_sane = _SANE.get(signature.parameters[name].annotation, _ANYTHING)
            if not is_sane(value):
                where: Steps = ("kwargs", name) if name in call.kwargs else ("args",)
                text = f"{call.task} takes {name} as {wanted}, not {shown(value)}"
                yield Mistake(path=(*path, *where), text=text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


_SANE: Mapping[Any, tuple[str, Callable[[Any], bool]]] = {
    float: ("a number that is not negative, without a unit", _is_number),
    int: ("a whole number that is not negative", lambda v: _is_number(v) and isinstance(v, int)),
    bool: ("true or false", lambda value: isinstance(value, bool)),
}
_ANYTHING: tuple[str, Callable[[Any], bool]] = ("anything", lambda _: True)


def _takes(signature: inspect.Signature) -> str:
    return "(" + ", ".join(str(p.replace(annotation=p.empty)) for p in signature.parameters.values()) + ")"


def _takes_any(signature: inspect.Signature) -> bool:
    return any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())


def broker_mistakes(broker: model.Broker) -> Iterator[Mistake]:
    """What is wrong with a broker's URL; the messages never quote it."""
    if broker.url is None:
        return
    path: Steps = ("broker", "url")
    if broker.port is not None:
        text = "a broker at a URL has its port there. Leave one of them out"
        yield Mistake(path=("broker", "port"), text=text, also=(path,))
    for url in broker.url.split(";"):
        scheme, separator, _ = url.partition("://")
        if not separator:
            text = "this is not a URL. Begin with redis:// or amqp://, as in redis://localhost:6379/0"
            yield Mistake(path=path, text=text)
        elif scheme in ("memory", "filesystem"):
            yield Mistake(
                path=path,
                text=f"{scheme}:// changes the pool itself (no event loop, one poll a second): numbers would "
                "say nothing about a real broker. Leave the broker out and get a private Valkey",
            )
        elif scheme not in URL_SCHEMES:
            near = did_you_mean(scheme, URL_SCHEMES)
            yield Mistake(path=path, text=f"{shown(scheme)} is not a scheme of a broker's URL. {near}")
        elif not _well_formed(url):
            hint = "In a password write %40 for @, %2F for /, %23 for #"
            yield Mistake(
                path=path, text=f"this is not a URL like {scheme}://user:password@host:port/…. {hint}"
            )


def _well_formed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (parts.port or 1) > 0 and not any(char.isspace() for char in url) and "#" not in url
    except ValueError:
        return False
