"""The lessons of the controlled test: as many for both Solvers, true, new, and different in nothing but their skills."""

from collections import Counter

import pytest

from rdiverse.nano.benchmark import read_benchmark
from rdiverse.nano.controlled import FEW, MANY, few_skills, lessons
from rdiverse.nano.grammar import all_skills
from rdiverse.nano.oracle import oracle
from rdiverse.runs.tables import DATASET, write_table


@pytest.mark.parametrize("arm", [MANY, FEW])
def test_lessons_are_true_different_and_none_of_the_held_out(arm):
    rows = lessons(arm, 3, 6, 640)
    questions = [row["question"] for row in rows]
    assert len(set(questions)) == 640
    assert [oracle.truth(question) for question in questions] == [row["answer"] for row in rows]
    assert not set(questions) & {row.question for row in read_benchmark()}


def test_both_are_as_many_and_differ_in_skills_alone():
    skills = {arm: Counter(oracle.skill(row["question"]) for row in lessons(arm, 3, 6, 640)) for arm in (MANY, FEW)}
    assert set(skills[MANY]) == set(all_skills())
    assert max(skills[MANY].values()) <= 2
    assert set(skills[FEW]) == set(few_skills(3, 6))
    assert max(skills[FEW].values()) - min(skills[FEW].values()) <= 1


def test_a_seed_has_its_own_skills_and_lessons_and_always_the_same():
    assert few_skills(3, 6) == few_skills(3, 6) != few_skills(4, 6)
    assert lessons(FEW, 3, 6, 40) == lessons(FEW, 3, 6, 40) != lessons(FEW, 4, 6, 40)


def test_lessons_are_rows_of_a_training_set(tmp_path):
    write_table(tmp_path / "dataset.parquet", DATASET, lessons(FEW, 0, 2, 12))
