"""The tables that page and Markdown are made of; committed comparisons come out as they stand."""

import json
import shutil
from pathlib import Path

import pytest
from tests.support.comparison_summaries import THREE, setting, summary

from rdiverse.selfplay.methods import Method
from rdiverse_pipelines.comparison import tables
from rdiverse_pipelines.comparison.compared import Comparison, compare
from rdiverse_pipelines.comparison.summaries import read_summary
from rdiverse_pipelines.comparison.write import write_comparison

RESULTS = Path(__file__).parents[2] / "docs" / "results"
COMMITTED = sorted(path.parent.name for path in RESULTS.glob("*/comparison.json"))


@pytest.fixture(scope="module")
def found() -> Comparison:
    runs = [summary(method, seed, value) for method, seeds in THREE.items() for seed, value in seeds.items()]
    return compare(runs, setting(), Method.R_ZERO)


def row(table: tables.Table, title: str) -> tables.Row:
    return next(each for each in table.rows if each.title == title)


def test_a_mean_and_half_its_intervals_width(found: Comparison) -> None:
    table = tables.last_iteration(found)
    assert [column.title for column in table.columns] == [
        "r-zero (n = 3)",
        "r-diverse (n = 4)",
        "r-diverse-without-map (n = 1)",
    ]
    zero, _, alone = row(table, "sampled").cells
    # Standard deviation .1 over three seeds: 4.3027 * .1 / sqrt(3) = .2484.
    assert (zero.text, zero.width, zero.value) == ("60.0 %", " ± 24.8", pytest.approx(0.6))
    assert (alone.text, alone.width) == ("45.0 %", ""), "one seed has no interval"


def test_a_difference_says_in_how_many_seeds_and_what_has_none_says_why(found: Comparison) -> None:
    table = tables.last_differences(found)
    assert table is not None
    diverse, without_map = row(table, "sampled").cells
    assert (diverse.text, diverse.width, diverse.seeds, diverse.apart) == ("+3.0", " ± 5.0", " (3/3)", False)
    assert (without_map.text, without_map.seeds) == ("−5.0", " (0/1)")
    base = tables.by_iteration(found, tables.SHARE).rows[0]
    assert base.title == "base"
    assert [cell.missing for cell in row(tables.by_iteration(found, coverage()), "base").cells] == [
        "not measured",
        "not measured",
        "no seed has both",
        "not measured",
        "no seed has both",
    ]


def coverage() -> tables.Measure:
    return next(measure for measure in tables.MEASURES if measure.key == "coverage")


def test_every_row_has_a_cell_for_every_column(found: Comparison) -> None:
    differences = tables.last_differences(found)
    assert differences is not None
    made = [tables.last_iteration(found), differences, tables.by_skill(found)]
    made += [tables.by_iteration(found, measure) for measure in tables.used_measures(found)]
    for table in made:
        assert table.rows
        assert {len(each.cells) for each in table.rows} == {len(table.columns)}, table.label


@pytest.mark.parametrize("name", COMMITTED)
def test_committed_comparisons_are_what_their_summaries_give(name: str, tmp_path: Path) -> None:
    committed = RESULTS / name
    shutil.copytree(committed / "summaries", tmp_path / "summaries")
    stands = json.loads((committed / "comparison.json").read_text())
    shared = read_summary(next((tmp_path / "summaries").iterdir())).setting
    write_comparison(tmp_path, shared, Method(stands["reference"]), stands["missing"])
    written = {path.name: path.read_text() for path in tmp_path.glob("*.*")}
    assert written.keys() == {path.name for path in committed.glob("*.*")} - {"recipe.json"}
    # The configuration may have gained fields since, with defaults.
    assert json.loads(written.pop("comparison.json")) | {"setting": None} == stands | {"setting": None}
    for file, text in written.items():
        assert text.replace(shared.digest, stands["setting"]["digest"]) == (committed / file).read_text(), file
