"""What ships is valid, short enough, and documented."""

from pathlib import Path

import pytest

from bench import plan, scenario
from bench.scenario.schema import update

ROOT = Path(__file__).parents[2]
SHIPPED = scenario.shipped()


def test_the_shipped_scenarios_are_the_files_of_the_folder():
    assert sorted((ROOT / "scenarios").glob("*.yaml")) == sorted(path.resolve() for path in SHIPPED)
    assert {"quickstart", "pools-cpu", "pools-io", "prefetch-imbalance"} <= {path.stem for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_valid_and_takes_at_most_five_minutes_on_two_cores(path):
    loaded = scenario.load(path)
    seconds = loaded.repeats * sum(plan.trial_seconds(cell.setup, cores=2) for cell in loaded.cells)
    assert seconds < 300
    known = [cell.setup for cell in loaded.cells if cell.setup.load.shape != "saturate"]
    assert all(setup.load.count >= 4 * setup.slots for setup in known), "too short to be steady"
    assert loaded.question.endswith("?")
    assert scenario.load(path, quick=True).repeats == 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_is_in_the_reference(path):
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    assert f"| `{path.stem}` | {scenario.load(path).question} |" in text


def test_the_quickstart_is_five_pools_by_two_kinds_of_work_by_two_prefetch_values():
    cells = scenario.load(scenario.find("quickstart")).cells
    seen = {(c.setup.fleet[0].pool, c.settings["workload"], c.setup.fleet[0].prefetch) for c in cells}
    assert len(seen) == len(cells) == 5 * 2 * 2


def test_the_table_of_keys_is_up_to_date(tmp_path):
    copy = tmp_path / "scenarios.md"
    copy.write_text((ROOT / "docs/scenarios.md").read_text(encoding="utf-8"), encoding="utf-8")
    again = "run: make docs"
    assert not update(copy), again


def test_the_example_in_the_reference_is_valid(tmp_path):
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    example, matrix = (block.split("```", 1)[0] for block in text.split("```yaml\n")[1:3])
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    assert len(scenario.load(path).cells) == 9
    path.write_text(f"question: Q\nload: {{shape: flood, tasks: 9}}\n{matrix}", encoding="utf-8")
    assert len(scenario.load(path).cells) == 7


def test_the_belief_in_the_reference_is_valid(tmp_path):
    text = (ROOT / "docs/scenarios.md").read_text(encoding="utf-8")
    example = text.partition("## Beliefs")[2].split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    loaded = scenario.load(path)
    assert loaded.belief and len(loaded.expect) == 1
