"""The keys of an environment: what workers and loader run in, instead of what the harness runs in."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from bench import model
from bench.scenario.fields import AsSchema, Keys
from bench.scenario.mistakes import Mistake

AXIS = "variant"
"""What ``variants`` are an axis of."""


def _text_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class VariantKeys(Keys):
    """The environment that workers and loader run in."""

    requirements: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        BeforeValidator(_text_or_more),
        AsSchema(lambda inner: {"anyOf": [inner["items"], inner]}),
    ] = Field(
        default=[],
        description="What a fresh environment has, as pip reads it (also `-r FILE`), besides Celery, redis, "
        "gevent, eventlet, msgpack and SQLAlchemy; built once",
        examples=[["celery==5.6.*"]],
    )
    python: str = Field(
        default="",
        description="The interpreter of an environment that is there already",
        examples=["/srv/app/venv/bin/python"],
    )
    source: str = Field(
        default="",
        description="Where your app is imported from instead of the current folder: a folder, or "
        "`FOLDER@REVISION` of the git repository there",
        examples=["../myproj@main"],
    )

    @model_validator(mode="after")
    def _one_environment(self) -> "VariantKeys":
        if self.requirements and self.python:
            raise ValueError("has `requirements` or `python`, not both: what is there is not changed")
        if self.source.endswith("@"):
            raise ValueError("has no revision behind the @ of `source`: without one leave out the @")
        return self


def variant_noun(keys: VariantKeys) -> model.Variant:
    """The keys in the program's own nouns; places stay as written."""
    source, at, revision = keys.source.rpartition("@")
    return model.Variant(
        requirements=tuple(line.strip() for line in keys.requirements),
        python=keys.python,
        source=source if at else keys.source,
        revision=revision if at else "",
    )


def of_text(text: str) -> dict[str, Any]:
    """The keys of an environment that the command line names: an interpreter, a folder, ``FOLDER@REVISION``,
    or else requirements with spaces between them; nothing is the environment of celery-bench itself.
    """
    folder, at, _ = text.rpartition("@")
    if not text:
        return {}
    if Path(text).is_dir() or (at and Path(folder).is_dir()):
        return {
            "source": str(Path(folder).absolute()) + text[len(folder) :] if at else str(Path(text).absolute())
        }
    if Path(text).is_file() and os.access(text, os.X_OK):
        return {"python": str(Path(text).absolute())}
    return {"requirements": shlex.split(text)}


def variant_mistakes(folder: Path, variant: model.Variant) -> Iterator[Mistake]:
    """Places that are not there, seen from ``folder``."""
    there = beside(folder, variant)
    if there.source and not Path(there.source).is_dir():
        text = f"there is no folder {variant.source}. Name the one that your app is imported from"
        yield Mistake(path=(AXIS, "source"), text=text)
    if there.python and not os.access(there.python, os.X_OK):
        text = f"there is no interpreter {variant.python}. Name the python of an environment"
        yield Mistake(path=(AXIS, "python"), text=text)


def beside(folder: Path, variant: model.Variant) -> model.Variant:
    """The variant with its places seen from ``folder``, whatever the current one."""

    def place(text: str) -> str:
        return str((folder / Path(text).expanduser()).absolute()) if text else ""

    def line(text: str) -> str:
        word, space, rest = text.partition(" ")
        if space and word in ("-r", "-c", "-e"):
            return f"{word} {place(rest.strip())}"
        return place(text) if text.startswith(("./", "../")) else text

    return model.Variant(
        requirements=tuple(map(line, variant.requirements)),
        python=place(variant.python),
        source=place(variant.source),
        revision=variant.revision,
    )
