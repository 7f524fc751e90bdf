"""The table that a run ends with, at the widths that terminals have."""

import pytest
from tests.support.report_run import make_run

from rdiverse_pipelines.local.run import read_summary
from rdiverse_pipelines.local.table import COLUMNS, table


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    return read_summary(make_run(tmp_path_factory.mktemp("workspace")))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_every_figure_is_whole(summary, width):
    lines = table(summary, width).splitlines()
    assert max(map(len, lines)) <= width
    last = summary["iterations"][-1]
    row = next(line.split() for line in lines if line.split()[0] == "3")
    for key in ("accuracy_sampled", "accuracy_greedy", "label_accuracy", "intra_iteration_repetition"):
        assert f"{last[key] * 100:.1f}" in row
    assert "…" not in "".join(lines)


def test_elsewhere_than_on_a_terminal_every_column_stands(summary):
    lines = table(summary).splitlines()
    assert lines[1].split() == ["iter", *(column.title for column in COLUMNS)]
    assert all(len(line.split()) == len(COLUMNS) + 1 for line in lines[3:7])
    assert [line.split()[0] for line in lines[3:7]] == ["base", "1", "2", "3"]


def test_a_wider_terminal_shows_more(summary):
    counts = [len(table(summary, width).splitlines()[1].split()) for width in (60, 80, 120)]
    assert counts == sorted(set(counts))
    assert counts[-1] == len(COLUMNS) + 1


def test_the_direction_of_good_is_a_sign_and_explained(summary):
    text = table(summary, 80)
    assert text.splitlines()[2].split().count("↓") == 3
    assert "↑ more is better, ↓ less is." in " ".join(text.split())
