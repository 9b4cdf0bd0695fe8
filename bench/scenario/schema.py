"""The keys of a scenario for editors (JSON Schema) and readers (the table in docs/scenarios.md).

``make docs`` writes the table in that file anew.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema
from pydantic.fields import FieldInfo

from bench.scenario.keys import TOP_KEYS, HeadKeys, SetupKeys, below, known_paths
from bench.scenario.load_keys import LOAD_KEYS
from bench.scenario.paths import without_index
from bench.scenario.variant_keys import VariantKeys

_MATRIX_WORDS = {
    "zip": "A mapping of paths to equally long lists that move together, or a list of such mappings",
    "exclude": "Cells to leave out: a list of mappings path → label (or list of labels)",
    "include": "Cells to add: a list of mappings path → value; the rest is as in the base",
}


_LOG = "Values grow in equal ratios"


def _matrix_schema() -> dict[str, Any]:
    axis = {"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}]}
    named = {without_index(path): {**axis, "description": text} for path, text in known_paths().items()}
    entries = {"type": "array", "items": {"type": "object"}}
    moving = {"type": "object", "additionalProperties": axis}
    return {
        "type": "object",
        "properties": {
            **named,
            "zip": {
                "anyOf": [moving, {"type": "array", "items": moving}],
                "description": _MATRIX_WORDS["zip"],
            },
            "exclude": {**entries, "description": _MATRIX_WORDS["exclude"]},
            "include": {**entries, "description": _MATRIX_WORDS["include"]},
        },
        "additionalProperties": axis,
    }


def _tune_schema() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0}
    ends = {"from": number, "to": number, "log": {"type": "boolean", "description": _LOG}}
    reach = {"type": "object", "properties": ends, "required": ["from", "to"], "additionalProperties": False}
    values = {"anyOf": [reach, {"type": "array", "minItems": 1}, {"type": ["string", "number", "boolean"]}]}
    own = {"anyOf": [{"type": "null"}, {"type": "object", "additionalProperties": values}]}
    choices = {"type": "object", "minProperties": 1, "additionalProperties": own}
    named = {
        without_index(path): {"anyOf": [*values["anyOf"], choices], "description": text}
        for path, text in known_paths().items()
    }
    return {"type": "object", "properties": named, "additionalProperties": {"anyOf": [values, choices]}}


class ScenarioFile(SetupKeys, HeadKeys):
    """One question about Celery workers: setup, matrix of settings, repeats."""

    variants: dict[str, VariantKeys] = Field(
        {},
        description="Environments by name, to be compared: the first axis of the matrix, called `variant`",
        examples=[{"base": {"requirements": ["celery==5.6.*"]}, "head": {"requirements": ["celery==5.7.*"]}}],
    )
    matrix: Annotated[dict[str, Any], WithJsonSchema(_matrix_schema())] = Field(
        {}, description="Paths of the scenario and the values they take: each combination is a cell"
    )
    tune: Annotated[dict[str, Any], WithJsonSchema(_tune_schema())] = Field(
        {},
        description="What `celery-bench tune` searches instead of the matrix: paths, values and ranges",
        examples=[{"workers.concurrency": {"from": 1, "to": 500, "log": True}}],
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a scenario file; only the question is required, the rest may come from the matrix."""
    from bench.workloads.catalogue import TASKS

    made = ScenarioFile.model_json_schema()
    made["$defs"]["TaskKeys"]["properties"]["task"]["anyOf"] = [{"enum": list(TASKS)}, {"type": "string"}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "celery-bench scenario",
        "required": ["question"],
    }


def keys_table() -> str:
    """Every key of a scenario file as a Markdown table: key, type, default, meaning."""
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name in TOP_KEYS:
        rows.append(_row(name, ScenarioFile.model_fields[name], ScenarioFile))
        done: set[object] = set()
        for prefix, models in below(name):
            for keys in models:
                for each, info in keys.model_fields.items():
                    key = f"{prefix.replace('.0', '')}.{info.alias or each}"
                    told = (each, info.description)  # what parts of a canvas have like any task is told once
                    if not done & {key, told}:
                        rows.append(_row(key, info, keys))
                    done |= {key, told}
        if name == "matrix":
            rows += [
                f"| `matrix.{word}` | {'mapping or list' if word == 'zip' else 'list'} | – | {text} |"
                for word, text in _MATRIX_WORDS.items()
            ]
    return "\n".join(rows)


def _row(key: str, info: FieldInfo, owner: type[Any]) -> str:
    made = owner.model_json_schema()["properties"][info.alias or key.rpartition(".")[2]]
    default = "required" if info.is_required() else _default(made.get("default"))
    return f"| `{key}` | {_kind(made, key)} | {default} | {info.description} |"


def _default(value: Any) -> str:
    if value is None or value in ("", [], {}) or isinstance(value, dict):
        return "–"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


_KINDS = {
    "workers": "mapping or list of mappings",
    "workload": "mapping or list of mappings",
    "load": "mapping or list of mappings",
    "broker": "name, URL or mapping",
    "expect": "text or list of texts",
    "load.shape": " \\| ".join(f"`{shape}`" for shape in LOAD_KEYS),
    "load.rates": "list of rates",
    "workers.concurrency": "whole number or `auto`",
    "workers.heartbeat": "duration or `false`",
    "workload.arguments": "list, file or callable",
}


def _kind(made: Mapping[str, Any], key: str) -> str:
    if key in _KINDS:
        return _KINDS[key]
    if "anyOf" in made:
        made = next(part for part in made["anyOf"] if part.get("type") != "null")
    if "enum" in made and key != "metric":
        return " \\| ".join(f"`{word}`" for word in made["enum"])
    if "pattern" in made:
        return "rate" if "/" in made["pattern"] else "size" if "B" in made["pattern"] else "duration"
    names = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "array": "list",
        "object": "mapping",
    }
    low, high = (f"{n:g}" if isinstance(n := made.get(end), float) else n for end in ("minimum", "maximum"))
    bounds = f" {low}–{high}" if high is not None else f" ≥ {low}" if low is not None else ""
    return names[made.get("type", "object")] + bounds


def shipped_table() -> str:
    """The shipped scenarios as a Markdown table, each with the belief that it puts to the test."""
    from bench.scenario.reader import load, shipped

    rows = ["| name | question | belief |", "| --- | --- | --- |"]
    for path in shipped():
        asked = load(path)
        rows.append(f"| `{asked.name}` | {asked.question} | {asked.belief or '–'} |")
    return "\n".join(rows)


def update(path: Path) -> bool:
    """Write the tables into the Markdown file between their marks; True where that changed something."""
    text = path.read_text(encoding="utf-8")
    new = _between(text, "keys", keys_table())
    new = _between(new, "scenarios", shipped_table())
    path.write_text(new, encoding="utf-8")
    return new != text


def _between(text: str, what: str, table: str) -> str:
    """The text with the table between the two marks of this name."""
    begin, end = f"<!-- {what}: written by make docs -->", f"<!-- end of {what} -->"
    before, rest = text.split(begin, 1)
    return f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end, 1)[1]}"
