"""The scenario room: a YAML file → a checked Scenario, or every mistake at once.

pydantic and yaml live only here.

document (text with line marks) → axes, matrix, options (cells) → keys, checks (what may be written) → reader.
replay reads the traces of replayed loads, also when a trial wants its schedule.
"""

from bench.scenario.options import with_broker
from bench.scenario.quick import quicken
from bench.scenario.reader import find, load, load_space, shipped
from bench.scenario.schema import schema

__all__ = ["find", "load", "load_space", "quicken", "schema", "shipped", "with_broker"]
