"""What no single key shows: tasks that don't take their arguments, settings that don't go together."""

import contextlib
import functools
import importlib.util
import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bench import model
from bench.scenario.abilities import impossible
from bench.scenario.argument_checks import TaskArguments, first_row
from bench.scenario.broker_keys import OF_APP, URL_SCHEMES, kind_of
from bench.scenario.canvas_keys import places
from bench.scenario.load_checks import load_mistakes
from bench.scenario.mistakes import Mistake, Steps, did_you_mean, shown
from bench.scenario.outside import AppError, Arguments, Outside, Tasks
from bench.scenario.setting_checks import option_mistakes, setting_mistakes
from bench.scenario.variant_keys import variant_mistakes


def installed(package: str) -> bool:
    """Whether ``package`` can be imported here."""
    return importlib.util.find_spec(package) is not None


@functools.cache
def shipped_tasks() -> Tasks:
    """The tasks that come with the program."""
    from bench.workloads.catalogue import TASKS

    return {name: inspect.signature(function) for name, function in TASKS.items()}


class Checker:
    """Checks many setups of one scenario; what can be found out once is found out once.

    ``tracebacks`` of apps that could not be imported are kept for whoever tells the mistakes.
    """

    def __init__(
        self,
        outside: Outside | None = None,
        folder: Path = Path(),
    ) -> None:
        self.folder = folder
        self._outside = outside or Outside()
        self._installed = functools.cache(installed)
        self.tracebacks: dict[str, str] = {}

    def check(self, setup: model.Setup) -> Iterator[Mistake]:
        """Every mistake in one setup."""
        setup = self.placed(setup)
        yield from variant_mistakes(self.folder, setup.variant)
        yield from broker_mistakes(setup.broker)
        yield from self._broker_of_app(setup)
        yield from impossible(setup, self._installed)
        yield from self._results_of_app(setup)
        yield from setting_mistakes(setup.settings, self._outside.settings())
        if setup.variant.is_here:
            yield from option_mistakes(setup.broker, self._outside.options(setup.broker.kind))
        yield from self._workload(setup)
        yield from load_mistakes(setup.load)

    def placed(self, setup: model.Setup) -> model.Setup:
        """The setup with the kind of broker that its app names, where it wants the app's own."""
        url = self._url_of_app(setup)
        return replace(setup, broker=replace(setup.broker, kind=kind_of(url))) if url else setup

    def _url_of_app(self, setup: model.Setup) -> str:
        if setup.app and setup.broker.of_app:
            with contextlib.suppress(AppError):  # told of the workload
                return self._outside.broker(setup.app)
        return ""

    def _broker_of_app(self, setup: model.Setup) -> Iterator[Mistake]:
        """No app, or one whose broker cannot be measured on."""
        if setup.broker.of_app and not setup.app:
            text = "the shipped tasks have no broker of their own. Leave it out, or name your `app`"
            yield Mistake(path=("broker",), text=text, also=(("app",),))
        if url := self._url_of_app(setup):
            for mistake in broker_mistakes(model.Broker(url=url)):
                yield Mistake(path=("broker",), text=f"the app's own broker: {mistake.text}")

    def _results_of_app(self, setup: model.Setup) -> Iterator[Mistake]:
        """An app that keeps no results: Celery would throw them away without a word."""
        if setup.app and setup.messages.results == OF_APP:
            with contextlib.suppress(AppError):  # told of the workload
                if self._outside.results(setup.app).partition("://")[0] in ("", "disabled"):
                    text = (
                        f"the app {setup.app} keeps no results. Set its `result_backend`, or write `broker`"
                    )
                    yield Mistake(path=("messages", "results"), text=text, also=(("app",),))

    def _workload(self, setup: model.Setup) -> Iterator[Mistake]:
        for index, entry in enumerate(setup.workload):
            for call, path in places(entry, ("workload", index)):
                yield from self.call(call, path, setup.app)

    def call(self, call: model.TaskCall, path: Steps, app: str = "") -> Iterator[Mistake]:
        """What is wrong with a task and its arguments: no such task, or one that does not take them."""
        try:
            known = self._outside.tasks(app) if app else shipped_tasks()
        except AppError as error:
            self.tracebacks.setdefault(app, error.traceback)
            yield Mistake(path=("app",), text=str(error))
            return
        if not app:
            yield from self._package(call.task, path)
        signature = known.get(call.task)
        if signature is None:
            near = did_you_mean(call.task, sorted(known) if app else known) or "The app has none."
            if app and call.task in shipped_tasks():
                near += f" It is one of the shipped tasks, which are measured without the app {app}"
            where = f" in {app}" if app else ""
            yield Mistake(path=(*path, "task"), text=f"there is no task {shown(call.task)}{where}. {near}")
        elif isinstance(call.arguments, str) and call.arguments:
            yield from self._source(call, path, signature, app)
        else:
            yield from TaskArguments(signature, self.folder, path).check(call)

    def _package(self, task: str, path: Steps) -> Iterator[Mistake]:
        """What a shipped task needs and is not installed."""
        from bench.workloads.catalogue import EXTRA, PACKAGES

        package = PACKAGES.get(task)
        if package is not None and not self._installed(package):
            text = f"{task} needs a package that is not installed ({package}). Try: pip install '{EXTRA}'"
            yield Mistake(path=(*path, "task"), text=text)

    def _source(
        self, call: model.TaskCall, path: Steps, signature: inspect.Signature, app: str
    ) -> Iterator[Mistake]:
        """What is wrong with a file or callable that arguments come from."""
        where, source = (*path, "arguments"), str(call.arguments)
        try:
            first = first_row(self.folder / source) if source.endswith(".csv") else self._drawn(source, app)
        except AppError as error:
            self.tracebacks.setdefault(source, error.traceback)
            yield Mistake(path=where, text=str(error))
            return
        yield from TaskArguments(signature, self.folder, path).check_row(call, first, where)

    def _drawn(self, source: str, app: str) -> Arguments | None:
        """What a callable returns for one task, None where nobody may ask it. Raises AppError."""
        if not re.fullmatch(r"[\w.]+:\w+", source):
            raise AppError(
                f"{shown(source)} is neither a CSV file nor `module:callable`, as in proj.bench:mail"
            )
        return self._outside.arguments(app, source) if self._outside.arguments else None


def broker_mistakes(broker: model.Broker) -> Iterator[Mistake]:
    """What is wrong with a broker's URL; the messages never quote it."""
    if broker.url is None:
        return
    path: Steps = ("broker", "url")
    if broker.port is not None:
        text = "a broker at a URL has its port there. Leave one of them out"
        yield Mistake(path=("broker", "port"), text=text, also=(path,))
    urls = broker.url.split(";")
    if len(urls) > 1:
        text = (
            f"these are {len(urls)} URLs, but all of a trial uses one server. Name it: `broker: {{url: …}}`"
        )
        yield Mistake(path=path, text=text)
    for url in urls:
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
