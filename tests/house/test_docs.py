"""The documentation says what the program does."""

import inspect
import itertools
import re
import runpy
from pathlib import Path

from bench.workloads.catalogue import TASKS

from bench import doubts, measured, scenario
from bench.cli import cli
from bench.run import doctor

ROOT = Path(__file__).parents[2]


def test_the_command_line_page_is_up_to_date():
    generate = runpy.run_path(str(ROOT / "docs/generate.py"))
    assert (ROOT / "docs/cli.md").read_text() == generate["command_line"](), "run: make docs"


def test_every_command_and_option_explains_itself():
    for name, command in cli.commands.items():
        assert command.help, name
        for option in command.params:
            if option.param_type_name == "option":
                assert option.help, f"{name} {option.opts}"  # type: ignore[attr-defined]


def test_every_metric_is_explained():
    text = (ROOT / "docs/methodology.md").read_text()
    for name in (*measured.PLAIN_METRICS, *measured.DURATIONS):
        assert name in text or name.replace("_", " ") in text, name


def test_every_doubt_is_explained_in_its_order():
    text = (ROOT / "docs/methodology.md").read_text()
    session, _, machine = text.partition("## Doubts")[2].partition("### Before a session")
    for rules, part in ((doubts.RULES, session), (doctor.RULES, machine)):
        rows = re.findall(r"^\| ([a-z][a-z, -]*) \|", part, re.M)
        listed = [kind for row in rows for kind in row.split(", ") if kind != "kind"]
        assert listed == [rule.kind for rule in rules]


def test_every_task_is_in_the_reference_with_its_arguments():
    rows = re.findall(r"^\| `([a-z.]+)\(([^|]*)\)` \|", (ROOT / "docs/scenarios.md").read_text(), re.M)
    assert [name for name, _ in rows] == list(TASKS)
    for name, arguments in rows:
        takes = [
            p.name if p.default is p.empty else f"{p.name}={p.default}"
            for p in inspect.signature(TASKS[name]).parameters.values()
        ]
        assert arguments == ", ".join(takes).replace("True", "true"), name


def test_every_record_is_decided_once():
    numbers = sorted(path.name[:3] for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == [f"{n:03d}" for n in range(1, len(numbers) + 1)]


def test_nothing_names_this_machine_or_a_registry():
    for path in [*ROOT.glob("*.*"), *ROOT.glob("docs/**/*.md"), ROOT / "Makefile"]:
        if path.is_file():
            text = path.read_text(errors="replace")
            assert "index-url" not in text, path
            assert "find-links" not in text, path


def test_every_dependency_has_a_reason():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    reasons = (ROOT / "docs/decisions/001-dependencies.md").read_text()
    for line in [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]:
        name = line.split(">")[0].split("[")[0].strip()
        assert f"`{name}" in reasons, name


def test_the_scenario_of_the_guide_is_the_one_it_shows():
    guide = ROOT / "docs/guide"
    shown = re.search(r"```yaml\n(.*?)```", (guide / "capacity-planning.md").read_text(), re.DOTALL)
    assert shown and shown[1] == (guide / "order-mails.yaml").read_text()
    assert len(scenario.load(guide / "order-mails.yaml").cells) == 6
