"""The methods differ in their remedy only."""

from rdiverse.selfplay.methods import TRAITS, Method, Similarity


def test_every_method_says_what_it_does() -> None:
    assert set(TRAITS) == set(Method)


def test_r_zero_penalises_words_and_remembers_nothing() -> None:
    assert TRAITS[Method.R_ZERO].similarity is Similarity.BLEU
    assert not TRAITS[Method.R_ZERO].memory_penalty
    assert not TRAITS[Method.R_ZERO].replay


def test_the_control_adds_replay_and_nothing_else() -> None:
    assert TRAITS[Method.R_ZERO_REPLAY].__dict__ | {"replay": False} == TRAITS[Method.R_ZERO].__dict__


def test_each_ablation_takes_one_remedy_away() -> None:
    full = TRAITS[Method.R_DIVERSE].__dict__
    assert full == {
        "trains_challenger": True,
        "trains_solver": True,
        "similarity": Similarity.PROGRAM,
        "memory_penalty": True,
        "replay": True,
    }
    for method, change in {
        Method.R_DIVERSE_WITHOUT_MAP: {"memory_penalty": False},
        Method.R_DIVERSE_WITHOUT_SAM: {"similarity": Similarity.TEXT},
        Method.R_DIVERSE_WITHOUT_REPLAY: {"replay": False},
    }.items():
        assert TRAITS[method].__dict__ == full | change
