"""A configuration is refused as a whole, in words, or it is good."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rdiverse.config import ConfigError, RunConfig, differing_fields, dump_config, load_config

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid_and_reads_back_the_same(path: Path, tmp_path: Path):
    config = load_config(path)
    dumped = tmp_path / "config.yaml"
    dumped.write_text(dump_config(config))
    assert load_config(dumped) == config


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sed=1", "sed: unknown field; did you mean seed? (on the command line)"),
        ("solver.sample=1", "solver.sample: unknown field; did you mean samples?"),
        ("solver.samples=0", "solver.samples = 0: must be at least 1 (on the command line)"),
        ("solver.samples=many", "solver.samples = 'many': must be a whole number"),
        ("solver.band=[0.8, 0.3]", "0 <= low <= high <= 1"),
        ("penalty.gama=1", "penalty.gama: unknown field; did you mean gamma?"),
        ("penalty.gamma=2", "penalty: gamma: must be 0 to 1, not 2"),
        ("replay_share=1", "replay_share = 1: must be less than 1"),
        ("method=r-one", "method = 'r-one'"),
        ("run_id=../x", "run_id = '../x'"),
        ("oracle=nowhere", "oracle = 'nowhere'"),
        ("challenger.training.learning_rate=-1", "challenger.training.learning_rate = -1: must be greater than 0"),
        ("challenger.training.processes=7", "128 rollouts do not divide into updates_per_step * processes = 1 * 7"),
        ("challenger.training.rows_per_forward=100", "rows_per_forward = 100 does not divide the 128 rollouts"),
        ("prompts.solver.user=hello", "the prompt must hold {question}"),
        ("local.port_range=[9, 1]", "1 <= first <= last <= 65535"),
        ("seed", "override 'seed': must be key=value"),
        ("seed.x=1", "seed: must be a whole number"),
        ("solver=[", "override 'solver=[': the value is not YAML"),
    ],
)
def test_a_fault_is_named_with_field_value_and_what_is_allowed(override: str, said: str):
    with pytest.raises(ConfigError) as caught:
        load_config(CONFIGS[0].with_name("local.yaml"), [override])
    assert said in str(caught.value)


def test_every_fault_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        load_config(None, ["iterations=0", "nonsense=1"])
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0].rstrip(":") for line in lines] == ["iterations", "model", "nonsense"]


@pytest.mark.parametrize(
    ("content", "said"), [("- a\n", "must hold a mapping"), ("a: [", "is not YAML"), (None, "cannot be read")]
)
def test_a_file_that_holds_no_configuration(tmp_path: Path, content: str | None, said: str):
    path = tmp_path / "c.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_command_line_values_win_over_overrides_which_win_over_the_file(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump({"model": "m", "seed": 1, "iterations": 1}))
    config = load_config(path, ["seed=2", "iterations=2"], iterations=3, method=None)
    assert (config.seed, config.iterations, config.method) == (2, 3, "r-diverse")


def test_a_run_is_named_by_method_and_seed():
    assert RunConfig(model="m", seed=7).resolved_run_id == "r-diverse-seed7"
    assert RunConfig(model="m", run_id="mine").resolved_run_id == "mine"


json_values = st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.text("ab", min_size=1), inner))
documents = st.dictionaries(st.text("abc", min_size=1, max_size=2), json_values, max_size=4)


@given(documents, documents)
def test_differing_fields_names_nothing_exactly_when_equal(a: dict, b: dict):
    assert differing_fields(a, a) == []
    # An absent field and an empty section hold the same: no value.
    assert bool(differing_fields(a, b)) == (_leaves(a) != _leaves(b) or _shape_differs(a, b))


def _leaves(value: dict, prefix: tuple[str, ...] = ()) -> dict:
    found = {}
    for key, inner in value.items():
        found |= _leaves(inner, (*prefix, key)) if isinstance(inner, dict) else {(*prefix, key): inner}
    return found


def _shape_differs(a: dict, b: dict) -> bool:
    return any(
        _shape_differs(a[key], b[key])
        if key in a and key in b and isinstance(a[key], dict) and isinstance(b[key], dict)
        else (key in a) != (key in b)
        for key in {*a, *b}
    )
