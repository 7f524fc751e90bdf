"""Noise is the same again for the same step, and never shared by two."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rdiverse.selfplay.seeds import derive_seed


def test_every_iteration_proposes_with_other_noise() -> None:
    """R-Zero generates questions from the same seeds every iteration."""
    assert len({derive_seed(0, "propose", iteration) for iteration in range(100)}) == 100


def test_names_do_not_run_together() -> None:
    assert derive_seed(1, "a", "bc") != derive_seed(1, "ab", "c")
    assert derive_seed(1, 2) != derive_seed(12)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.text(), st.integers())
def test_a_seed_is_a_function_of_its_names_and_fits_in_63_bits(seed: int, name: str, number: int) -> None:
    derived = derive_seed(seed, name.encode(errors="replace").decode(), number)
    assert 0 <= derived < 2**63
    assert derived == derive_seed(seed, name.encode(errors="replace").decode(), number)
