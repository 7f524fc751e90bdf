"""What the comparison reads from a run's tables, beside the slow way to the same numbers."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.support.report_run import SKILLS, make_run

from rdiverse.runs.folder import RunFolder
from rdiverse.selfplay.repetition import bleu_clusters
from rdiverse_pipelines.comparison.provenance import note_commit, provenance
from rdiverse_pipelines.comparison.setting import LEFT_OUT
from rdiverse_pipelines.comparison.summarise import measure_iteration
from rdiverse_pipelines.context import RunContext
from rdiverse_pipelines.steps.prepare import IRRELEVANT


class World:
    """Knows all skills of the made-up run but the first, and one that nobody asks for."""

    def skills(self):
        return [*SKILLS[1:], "nobody's"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return RunContext.open(str(make_run(tmp_path_factory.mktemp("workspace")).root))


@pytest.fixture
def world(run, monkeypatch):
    monkeypatch.setitem(run.__dict__, "oracle", World())
    return run


def table(run, t, name):
    return pq.read_table(run.folder.iteration(t) / f"{name}.parquet").to_pylist()


def test_spreads_are_over_the_kept_questions(world):
    kept = [row for row in table(world, 2, "curated") if row["status"] == "kept"]
    found = measure_iteration(world, 2, set())
    for key, column in (("p_rep_spread", "p_rep"), ("p_map_spread", "p_map")):
        values = [row[column] for row in kept]
        mean = sum(values) / len(values)
        assert found[key] == pytest.approx((sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5)
    labels = list(bleu_clusters([row["question"] for row in kept]))
    words = [labels.count(label) / len(kept) for label in labels]
    assert found["p_rep_words"] == pytest.approx(np.mean(words))
    assert found["p_rep_words_spread"] == pytest.approx(np.std(words))


def test_without_a_past_p_map_has_no_spread(world):
    assert measure_iteration(world, 1, set())["p_map_spread"] is None


def test_coverage_grows_over_iterations_and_counts_the_worlds_skills_only(world):
    seen: set[str] = set()
    slow: set[str] = set()
    for t in (1, 2, 3):
        kept = {row["index"] for row in table(world, t, "curated") if row["status"] == "kept"}
        slow |= {row["skill"] for row in table(world, t, "labels") if row["index"] in kept and row["skill"]}
        found = measure_iteration(world, t, seen)
        assert found["coverage"] == pytest.approx(len(slow - {SKILLS[0]}) / len(SKILLS))


def test_labels_with_a_truth_are_counted_by_tenth_of_self_consistency(world):
    found = measure_iteration(world, 1, set())["labels"]
    known = [row for row in table(world, 1, "labels") if row["truth"] is not None]
    assert sum(total for _, total in found) == len(known)
    assert found[5] == [
        sum(row["truth_agrees"] for row in known if row["share"] == 0.5),
        sum(row["share"] == 0.5 for row in known),
    ]


def test_without_an_oracle_there_is_no_coverage(run):
    found = measure_iteration(run, 1, set())
    assert found["coverage"] is None


def test_what_makes_no_difference_to_a_run_makes_none_to_a_comparison():
    assert IRRELEVANT <= LEFT_OUT


def test_a_run_knows_the_commits_that_worked_on_it(tmp_path):
    run = RunFolder.of(tmp_path, "r-zero-seed0")
    note_commit(run)
    first = json.loads((run.root / "commits.json").read_text())
    assert len(first) == 1
    note_commit(run)
    assert json.loads((run.root / "commits.json").read_text()) == first, "the same code again"
    (run.root / "commits.json").write_text('["0123456789ab"]')
    note_commit(run)
    run.summary.write_text("{}")
    made = provenance(run)
    assert made["commit"] == f"0123456789ab {first[0]}"
    assert made["machine"].endswith(" cores")


def test_what_was_done_without_a_note_is_unknown(tmp_path):
    run = RunFolder.of(tmp_path, "r-zero-seed0")
    run.root.mkdir(parents=True)
    run.events.touch()
    run.summary.write_text("{}")
    assert provenance(run)["commit"] == "unknown"
    note_commit(run)
    assert provenance(run)["commit"].startswith("unknown ")
