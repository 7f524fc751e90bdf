"""Which rows a phase trains on, in which order, and which datasets it refuses."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.training_models import write_model, write_phase

from rdiverse.config import RunConfig, load_config
from rdiverse.runs.tables import DATASET, write_table
from rdiverse.selfplay.roles import Role
from rdiverse.training.errors import TrainingError
from rdiverse.training.launch.phase import Phase
from rdiverse.training.prompts import phase_rows
from rdiverse.training.train import load_tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("prompts") / "model")


def loaded(phase: Phase) -> RunConfig:
    return load_config(phase.config_path)


def with_rows(phase: Phase, count: int) -> Phase:
    path = phase.output.parent / f"rows-{count}.parquet"
    rows = [
        {"question": f"what is {n} ?", "answer": str(n), "source": "new", "iteration": 1, "share": 0.5} for n in range(count)
    ]
    write_table(path, DATASET, rows)
    return replace(phase, dataset=path)


def test_every_question_comes_once_before_any_comes_again(model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, steps=5, prompts_per_step=5, rows_per_forward=20)  # 25 groups of 10 questions
    rows = phase_rows(phase, loaded(phase), load_tokenizer(model))
    prompts = [row["prompt"] for row in rows]
    assert len(prompts) == 25
    assert set(Counter(prompts[:10]).values()) == set(Counter(prompts[10:20]).values()) == {1}
    assert prompts[:10] != prompts[10:20], "each pass has an order of its own"
    assert prompts == [row["prompt"] for row in phase_rows(phase, loaded(phase), load_tokenizer(model))]
    other = phase_rows(replace(phase, seed=1), loaded(phase), load_tokenizer(model))
    assert prompts != [row["prompt"] for row in other]
    for row in rows:
        number = int(row["prompt"].split()[3])
        assert row["answer"] == str(number % 3)


def test_a_dataset_smaller_than_a_step_fills_it_with_more_groups_of_the_same_questions(model: Path, tmp_path: Path) -> None:
    phase = with_rows(write_phase(tmp_path, model, steps=1, prompts_per_step=20, rows_per_forward=20), 8)
    rows = phase_rows(phase, loaded(phase), load_tokenizer(model))
    assert sorted(Counter(row["prompt"] for row in rows).values()) == [2, 2, 2, 2, 3, 3, 3, 3]


@pytest.mark.parametrize("count", [0, 7])
def test_fewer_rows_than_the_configured_least_are_refused(model: Path, tmp_path: Path, count: int) -> None:
    phase = with_rows(write_phase(tmp_path, model), count)
    with pytest.raises(TrainingError, match=rf"has {count} questions, fewer than solver.min_questions = 8"):
        phase_rows(phase, loaded(phase), load_tokenizer(model))


def test_an_unreadable_dataset_is_named(model: Path, tmp_path: Path) -> None:
    phase = replace(write_phase(tmp_path, model), dataset=tmp_path / "cut.parquet")
    with pytest.raises(TrainingError, match=r"cut\.parquet: cannot be read"):
        phase_rows(phase, loaded(phase), load_tokenizer(model))
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "dataset.parquet").read_bytes()[:200])
    with pytest.raises(TrainingError, match=r"cut\.parquet: cannot be read"):
        phase_rows(phase, loaded(phase), load_tokenizer(model))


def test_a_prompt_that_is_too_long_is_refused_before_training(model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, max_prompt_tokens=6)
    with pytest.raises(TrainingError, match="a prompt has 7 tokens, more than max_prompt_tokens = 6"):
        phase_rows(phase, loaded(phase), load_tokenizer(model))


def test_the_challenger_has_one_prompt(model: Path, tmp_path: Path) -> None:
    phase = write_phase(tmp_path, model, Role.CHALLENGER, steps=2, prompts_per_step=4)
    assert [row["prompt"] for row in phase_rows(phase, loaded(phase), load_tokenizer(model))] == ["<challenger>"] * 8


def test_a_chat_template_is_used_where_the_tokenizer_has_one(tmp_path: Path) -> None:
    model = write_model(tmp_path / "chat", chat_template=True)
    phase = write_phase(tmp_path / "phase", model)
    rows = phase_rows(phase, loaded(phase), load_tokenizer(model))
    said = r"user : <solver> what is \d plus 1 \? <solver>"
    assert re.fullmatch(said, rows[0]["prompt"]), "an empty system part is no message"


def test_a_tokenizer_without_an_end_is_refused_and_one_without_padding_is_not(tmp_path: Path) -> None:
    model = write_model(tmp_path / "no-pad", pad_token=False)
    assert load_tokenizer(model).library.pad_token == "<eos>"
    (model / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(TrainingError, match="no end-of-sequence token"):
        load_tokenizer(model)
