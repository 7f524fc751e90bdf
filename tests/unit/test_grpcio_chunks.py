"""Messages in chunks: nothing lost, nothing out of place, and no chunk larger than it may be."""

from hypothesis import given
from hypothesis import strategies as st

from rdiverse.grpcio_kit.chunks import chunks
from rdiverse.v1.solver_pb2 import Problem


def test_a_chunk_ends_after_1024_messages():
    problems = [Problem(index=i, question="x") for i in range(2500)]
    assert [len(chunk) for chunk in chunks(problems, Problem.ByteSize)] == [1024, 1024, 452]
    assert [problem.index for chunk in chunks(problems, Problem.ByteSize) for problem in chunk] == list(range(2500))


def test_a_chunk_ends_before_4_mib_unless_one_message_has_more():
    mib = 2**20
    problems = [Problem(question="x" * size) for size in (3 * mib, mib // 2, mib, 5 * mib, 1)]
    assert [[len(problem.question) for problem in chunk] for chunk in chunks(problems, Problem.ByteSize)] == [
        [3 * mib, mib // 2],
        [mib],
        [5 * mib],
        [1],
    ]


@given(st.lists(st.integers(0, 3_000_000), max_size=12))
def test_chunks_hold_every_message_once_in_order(sizes: list[int]):
    problems = [Problem(index=i, question="x" * size) for i, size in enumerate(sizes)]
    found = list(chunks(problems, Problem.ByteSize))
    assert [problem.index for chunk in found for problem in chunk] == list(range(len(sizes)))
    assert all(found)
    assert all(len(chunk) == 1 or sum(problem.ByteSize() for problem in chunk) <= 4 * 2**20 for chunk in found)
