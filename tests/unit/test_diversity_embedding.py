"""The structural embedding sees the computation, not how it is written."""

import numpy as np
import pytest

from rdiverse.diversity.sam.expression import returned_expression
from rdiverse.diversity.sam.structural import StructuralEncoder, features
from rdiverse.diversity.sam.text import TextEncoder
from rdiverse.selfplay.programs import ProgramError, parse_program

ENCODER = StructuralEncoder(512)
FROZEN = [60, 153, 224, 231, 277]
"""Where the vector of n1 + n2 is not zero."""


def cosine(first: str, second: str) -> float:
    one, two = ENCODER.encode([program(first), program(second)])
    return float(one @ two)


def program(body: str) -> str:
    return body if body.startswith("def ") else f"def solver(n1=5, n2=3, n3=2, n4=9):\n    {body}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("return n1 + n2", "return n2 + n1"),
        ("return n1 + n2", "x = n1\n    y = n2\n    x += y\n    return x"),
        ("return n1 * n2 + n3", "x = n2 * n1; return n3 + x"),
        ("return n1 + n2", "def other(a=50, b=30): return a + b"),
        ("return n1 > n2", "return n2 < n1"),
        ("return max(n1, n2)", "return max(n2, n1)"),
        ("return math.sqrt(n1)", "return sqrt(n1)"),
        ("x, y = n1, n2\n    return x - y", "return n1 - n2"),
        (
            "if n1 > n2:\n        return n1\n    return n2",
            "if n1 > n2:\n        x = n1\n    else:\n        x = n2\n    return x",
        ),
        ("if n1 > n2:\n        return n1\n    return n2", "return n1 if n1 > n2 else n2"),
        ("x: int = n1 + 1\n    return x", "return n1 + 2"),
    ],
)
def test_the_same_computation_is_the_same_vector(first, second):
    assert cosine(first, second) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("return n1 + n2", "return n1 * n2"),
        ("return n1 - n2", "return n1 // n2"),
        ("return n1 + n2", "return (n1 + n2) * n3 % n4"),
        ("return max(n1, n2)", "return min(n1, n2)"),
        ("return sum(range(n1))", "return n1 * n2"),
    ],
)
def test_other_computations_are_apart(first, second):
    assert cosine(first, second) < 0.7


def test_a_longer_chain_is_nearer_to_its_beginning_than_to_something_else():
    start, longer, other = "return n1 + n2", "x = n1 + n2; return x % n3", "x = n1 * n2; return max(x, n3)"
    assert 0.2 < cosine(start, longer) < 0.95
    assert cosine(start, longer) > cosine(start, other)


def test_loops_are_their_body_over_what_they_run_through():
    by_for = "x = 0\n    for i in range(n1):\n        x += i\n    return x"
    by_other_name = "total = 0\n    for k in range(n2):\n        total = k + total\n    return total"
    by_product = "x = 1\n    for i in range(n1):\n        x *= i\n    return x"
    assert cosine(by_for, by_other_name) == pytest.approx(1, abs=1e-6)
    assert cosine(by_for, by_product) < 0.7


def test_features_weigh_as_documented():
    found = features(returned_expression(parse_program(program("return n1 + n2"))))
    weights = {name.split()[0]: 0.0 for name in found}
    for name, weight in found.items():
        weights[name.split()[0]] += weight
    assert weights == {"node": 0.5 * 3, "near": 1.0, "tree": 2.5, "path": 0.5 * 2}


def test_vectors_are_unit_and_never_change():
    [vector] = ENCODER.encode([program("return n1 + n2")])
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)
    assert np.flatnonzero(vector).tolist() == FROZEN, "stored memories hold such vectors: another version needs another name"
    assert ENCODER.version == "structural-1-512"


@pytest.mark.parametrize("dimension", [8, 64, 32_768])
def test_any_dimension_gives_unit_vectors(dimension):
    vectors = StructuralEncoder(dimension).encode([program("return n1"), program("return n1 - n2 * n3")])
    assert [float(np.linalg.norm(vector)) for vector in vectors] == pytest.approx([1, 1], abs=1e-6)


def test_without_a_value_there_is_nothing_to_embed():
    [error] = ENCODER.encode(["def solver(n1=1):\n    print(n1)"])
    assert isinstance(error, ProgramError)
    assert "no function uses a parameter and returns something" in str(error)


def test_doubling_forever_is_bounded():
    body = "def solver(x=1):\n" + "    x = x + x\n" * 60 + "    return x"
    [error] = ENCODER.encode([body])
    assert isinstance(error, ProgramError)
    assert "nodes" in str(error)


def test_words_are_near_when_they_are_shared():
    one, same, near, far = TextEncoder(1024).encode(
        ["Anna has 3 apples.", "anna HAS 3 apples .", "Anna has 4 apples.", "How far is the moon?"]
    )
    assert float(one @ same) == pytest.approx(1, abs=1e-6)
    assert 0.4 < float(one @ near) < 1
    assert abs(float(one @ far)) < 0.2
