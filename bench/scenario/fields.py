"""What every key is made of: a strict model, and durations, rates and sizes that are written with a unit."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler

from bench import units
from bench.scenario.mistakes import shown

Schema = dict[str, Any]

_LONGEST, _FASTEST, _LARGEST = "168h", "1000000/s", "1TiB"
LONGEST_S = units.duration(_LONGEST)


class Keys(BaseModel):
    """A mapping with known keys only; ``"4"`` is no number, and neither is NaN."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class AsSchema:
    """Says in the JSON Schema what a key looks like in the file, where that is not what it becomes."""

    def __init__(self, wrap: Callable[[Schema], Schema]) -> None:
        self._wrap = wrap

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> Schema:
        return self._wrap(dict(handler(core)))


def _in_units(
    parse: Callable[[str], float], noun: str, example: str, most: str, *, zero: bool = False
) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if not isinstance(value, str):
            if type(value) not in (int, float):
                raise ValueError(f"must be {noun} such as {example}, not {shown(value)}")
            unit = example.lstrip("0123456789")
            raise ValueError(f"{shown(value)} has no unit. Write {noun} such as {shown(value)}{unit}")
        number = parse(value)
        if not (0 < number <= parse(most) or (zero and number == 0)):
            least = "from 0" if zero else "above 0"
            raise ValueError(f"{shown(value)} is not {noun} {least} and at most {most}")
        return number

    return read


def _text(units_: str) -> AsSchema:
    return AsSchema(lambda _: {"type": "string", "pattern": rf"^\s*[0-9.]+\s*{units_}\s*$"})


DURATION_TEXT, RATE_TEXT = _text("[A-Za-zµ]+"), _text("/[A-Za-z]+")
SIZE_TEXT = _text("[kKMGT]?i?B")

duration = _in_units(units.duration, "a duration", "20s", _LONGEST)
Duration = Annotated[float, BeforeValidator(duration), DURATION_TEXT]
Size = Annotated[float, BeforeValidator(_in_units(units.size, "a size", "64KiB", _LARGEST)), SIZE_TEXT]
SizeFromZero = Annotated[
    float, BeforeValidator(_in_units(units.size, "a size", "64KiB", _LARGEST, zero=True)), SIZE_TEXT
]
Rate = Annotated[float, BeforeValidator(_in_units(units.rate, "a rate", "50/s", _FASTEST)), RATE_TEXT]
RateFromZero = Annotated[
    float, BeforeValidator(_in_units(units.rate, "a rate", "50/s", _FASTEST, zero=True)), RATE_TEXT
]
