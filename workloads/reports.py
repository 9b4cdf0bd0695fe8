"""A page from a template, as for an invoice or a weekly report."""

import random
from functools import cache, lru_cache

_TEMPLATE = """\
<!doctype html>
<title>{{ title }}</title>
<h1>{{ title }}</h1>
<table>
{% for line in lines -%}
<tr class="{{ loop.cycle('odd', 'even') }}"><td>{{ loop.index }}<td>{{ line.article }}<td>{{ line.pieces }}
<td>{{ "%.2f"|format(line.cents / 100) }}<td>{{ "%.2f"|format(line.pieces * line.cents / 100) }}
{% endfor -%}
</table>
<p>Total: {{ "%.2f"|format(total / 100) }}
"""


def render(rows: int = 500, seed: int = 0) -> int:
    """Render an HTML report with a table of ``rows`` lines, drawn from ``seed``, with jinja2, which is pure
    Python and holds the GIL. Returns its length in characters.
    """
    return len(page(rows, seed))


def page(rows: int, seed: int) -> str:
    """The report itself."""
    lines = _lines(rows, seed)
    total = sum(line["pieces"] * line["cents"] for line in lines)
    return str(_template().render(title="Orders of the week", lines=lines, total=total))


@lru_cache(maxsize=8)
def _lines(rows: int, seed: int) -> list[dict[str, int | str]]:
    chance = random.Random(seed)
    return [
        {
            "article": f"Article <{chance.randrange(500)}>",
            "pieces": chance.randint(1, 9),
            "cents": chance.randrange(9999),
        }
        for _ in range(rows)
    ]


@cache
def _template():  # type: ignore[no-untyped-def]  # jinja2 is imported only when used, and compiles it once
    import jinja2

    return jinja2.Environment(autoescape=True).from_string(_TEMPLATE)
