"""The colours, said once: a pool has the same colour in every picture.

They are Okabe and Ito's (Color Universal Design, 2008), which colour-blind eyes can tell apart. Nothing
else may use a pool's colour: parts of the waiting time take what the palette leaves over, kinds of task take
one hue from light (short) to dark (long), which also survives a grey printer.
"""

POOL_COLOURS = {
    "prefork": "#0072b2",
    "threads": "#d55e00",
    "gevent": "#009e73",
    "eventlet": "#cc79a7",
    "solo": "#e69f00",
}
NEUTRAL = "#56707f"
"""For what belongs to no pool."""

WAIT_COLOURS = {
    "lateness": "#b9bec4",
    "broker_wait": "#858c94",
    "prefetch_wait": "#f0e442",
    "service": "#56b4e9",
    "overhead": "#f3b48b",
    "path": "#56b4e9",
}

INK = "#1d2126"
FAINT = "#6a727b"
GRID = "#e3e6ea"
PAPER = "#ffffff"
IDLE = "#eceff2"

GOOD, BAD, OPEN = "#00694c", "#a33b00", "#6b5200"
VERDICT_COLOURS = {
    "held": GOOD,
    "refuted": BAD,
    "better": GOOD,
    "worse": BAD,
    "same": NEUTRAL,
    "undecided": OPEN,
}
"""Of beliefs and comparisons; never without a mark of its own shape and the word beside it."""

HATCH = "#20242a"
"""Lines on a coloured bar: dark on a dark page too."""
LONG_KIND = "#103a66"
_SHORT_KIND = (0x8C, 0xC9, 0xF2)
_LONG_KIND = tuple(bytes.fromhex(LONG_KIND[1:]))


def pool_colour(pool: str | None) -> str:
    """The pool's own colour, or the neutral one."""
    return POOL_COLOURS.get(pool or "", NEUTRAL)


def kind_colours(n: int) -> tuple[str, ...]:
    """``n`` steps of one hue from light to dark, for kinds of task from short to long."""
    steps = [i / (n - 1) if n > 1 else 0.35 for i in range(n)]
    return tuple(
        "#" + "".join(f"{round(a + (b - a) * s):02x}" for a, b in zip(_SHORT_KIND, _LONG_KIND, strict=True))
        for s in steps
    )
