"""One suite for every memory: the oracle, Milvus Lite's server, and any Milvus named by MILVUS_URI."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.support.diversity_batches import DIMENSION, MILVUS_URI, SECONDS, batch, commit, full_scan, queries, unit
from tests.support.diversity_in_memory import InMemory

from rdiverse.diversity.memory import milvus_rows
from rdiverse.diversity.memory.ledger import (
    DigestMismatchError,
    IncompatibleError,
    IterationBatch,
    OutOfOrderError,
    Record,
    UnknownRunError,
)
from rdiverse.diversity.memory.milvus import MilvusMemory
from rdiverse.diversity.memory.milvus_connection import MilvusConnection
from rdiverse.diversity.memory.protocol import Key, Memory


@pytest.fixture(scope="module", params=["in-memory", "milvus-lite", *(["milvus"] if MILVUS_URI else [])])
def memory(request) -> Iterator[Memory]:
    if request.param == "in-memory":
        yield InMemory()
        return
    uri = MILVUS_URI if request.param == "milvus" else request.getfixturevalue("lite").uri
    connection = MilvusConnection(uri)
    opened = MilvusMemory(connection)
    opened.claim(SECONDS)
    yield opened
    connection.close()


@pytest.fixture
def run(memory) -> Iterator[str]:
    name = f"test-{secrets.token_hex(4)}"
    yield name
    for other in (name, f"{name}.text"):
        ledger = memory.ledger(other, SECONDS)
        if ledger is not None and not ledger.deleted:
            memory.delete(other, SECONDS)


def test_a_run_that_was_never_committed_is_not_there(memory, run):
    assert memory.ledger(run, SECONDS) is None
    assert run not in [ledger.run for ledger in memory.ledgers(SECONDS)]
    with pytest.raises(UnknownRunError):
        memory.rollback(run, 0, SECONDS)
    with pytest.raises(UnknownRunError):
        memory.delete(run, SECONDS)


def test_what_was_committed_is_found_exactly(memory, run):
    batches = [batch(1), batch(2, 7), batch(3, 33)]
    commit(memory, run, *batches)
    ledger = memory.ledger(run, SECONDS)
    assert [(entry.iteration, entry.digest, entry.items) for entry in ledger.entries] == [
        (1, f"{1:064x}", 20), (2, f"{2:064x}", 7), (3, f"{3:064x}", 33)
    ]  # fmt: skip
    for before in (2, 3, 4):
        cosines, seen = full_scan(batches, before, queries())
        nearest = memory.nearest(ledger, before, queries(), 5, SECONDS)
        expected = -np.sort(-cosines, axis=1)[:, :5]
        np.testing.assert_allclose(nearest.similarities, expected, atol=1e-5)
        columns = {key: index for index, key in enumerate(keys_of(batches, before))}
        named = [[cosines[row, columns[key]] for key in keys] for row, keys in enumerate(nearest.keys)]
        np.testing.assert_allclose(named, expected, atol=1e-5)
        total, count = memory.total(ledger, before, SECONDS)
        assert count == len(seen)
        np.testing.assert_allclose(total, seen.sum(axis=0), atol=1e-12)


def keys_of(batches, before):
    return [Key(each.iteration, index) for each in batches if each.iteration < before for index in range(len(each.records))]


def test_nothing_is_seen_of_the_iteration_that_asks(memory, run):
    ledger = commit(memory, run, batch(1))
    for before in (0, 1):
        nearest = memory.nearest(ledger, before, queries(3), 1, SECONDS)
        assert nearest.similarities.shape == (3, 0)
        total, count = memory.total(ledger, before, SECONDS)
        assert count == 0
        assert not total.any()


def test_more_neighbours_than_items_gives_all_items(memory, run):
    ledger = commit(memory, run, batch(1, 3))
    assert memory.nearest(ledger, 2, queries(2), 10, SECONDS).similarities.shape == (2, 3)


@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((9, DIMENSION)),
        np.eye(DIMENSION),
        np.concatenate([np.eye(DIMENSION), -np.eye(DIMENSION)]),
        np.ones((1, DIMENSION)),
        np.full((4, DIMENSION), 1e-30),
    ],
    ids=["all-equal", "orthogonal", "antipodal", "one-item", "tiny"],
)
def test_adversarial_memories(memory, run, vectors):
    held = batch(1, vectors=vectors)
    ledger = commit(memory, run, held)
    wanted = np.concatenate([queries(5), held.vectors[:3], -held.vectors[:3]])
    cosines, seen = full_scan([held], 2, wanted)
    nearest = memory.nearest(ledger, 2, wanted, 1, SECONDS)
    np.testing.assert_allclose(nearest.similarities[:, 0], cosines.max(axis=1), atol=1e-5)
    total, _ = memory.total(ledger, 2, SECONDS)
    np.testing.assert_allclose(total, seen.sum(axis=0), atol=1e-12)


AWKWARD = [
    "plain",
    "quotes ' \" and \\ backslashes",
    'run == "other" or 1 == 1',
    "new\nlines\tand tabs",
    "数学 🧮 \U0010ffff ÿ",
    "{question} {} %s $1 {{",
    "]]>--><script>alert(1)</script>",
    "x" * 65_536,
    "\U0001f9ee" * 65_536,
    "\\u0041\\" * 9000,
]


def test_any_text_comes_back_as_it_went_in(memory, run):
    held = batch(1, len(AWKWARD))
    records = [Record(text, text[::-1], text, 0.25) for text in AWKWARD]
    ledger = commit(memory, run, replace(held, records=records))
    keys = [Key(1, index) for index in reversed(range(len(AWKWARD)))]
    found = memory.records(ledger, keys, SECONDS)
    assert found == [replace(records[key.index], iteration=1, index=key.index) for key in keys]


def test_the_same_digest_again_is_the_same_answer(memory, run):
    first, already = memory.commit(run, batch(1), SECONDS)
    assert not already
    again, already = memory.commit(run, batch(1), SECONDS)
    assert already
    assert again == first
    assert memory.nearest(again, 2, queries(1), 100, SECONDS).similarities.shape == (1, 20), "no item twice"


def test_another_digest_for_a_committed_iteration_is_refused(memory, run):
    ledger = commit(memory, run, batch(1))
    with pytest.raises(DigestMismatchError):
        memory.commit(run, batch(1, digest="f" * 64), SECONDS)
    assert memory.ledger(run, SECONDS) == ledger


@pytest.mark.parametrize("iteration", [2, 3])
def test_iterations_come_in_order(memory, run, iteration):
    if iteration == 3:
        commit(memory, run, batch(1))
    with pytest.raises(OutOfOrderError):
        memory.commit(run, batch(iteration), SECONDS)


def test_other_embeddings_are_not_mixed_in(memory, run):
    ledger = commit(memory, run, batch(1))
    second = batch(2)
    for other in (
        replace(second, representation="text"),
        replace(second, encoder="encoder-2"),
        replace(second, vectors=unit(np.ones((20, DIMENSION + 1)))),
    ):
        with pytest.raises(IncompatibleError):
            memory.commit(run, other, SECONDS)
    assert memory.ledger(run, SECONDS) == ledger
    assert memory.commit(run, replace(second, encoder=""), SECONDS)[0].encoder == "encoder-1"


def test_rollback_forgets_and_begins_again(memory, run):
    batches = [batch(1), batch(2), batch(3)]
    before = commit(memory, run, *batches)
    ledger, dropped = memory.rollback(run, 1, SECONDS)
    assert dropped == [2, 3]
    assert ledger.revision > before.revision
    assert memory.ledger(run, SECONDS) == ledger
    cosines, seen = full_scan(batches, 2, queries())
    np.testing.assert_allclose(
        memory.nearest(ledger, 9, queries(), 1, SECONDS).similarities[:, 0], cosines.max(axis=1), atol=1e-5
    )
    np.testing.assert_allclose(memory.total(ledger, 9, SECONDS)[0], seen.sum(axis=0), atol=1e-12)
    assert memory.rollback(run, 1, SECONDS) == (ledger, [])
    other = batch(2, 5, seed=7, digest="e" * 64)
    ledger = commit(memory, run, other)
    cosines, seen = full_scan([batches[0], other], 3, queries())
    np.testing.assert_allclose(
        memory.nearest(ledger, 3, queries(), 1, SECONDS).similarities[:, 0], cosines.max(axis=1), atol=1e-5
    )
    np.testing.assert_allclose(memory.total(ledger, 3, SECONDS)[0], seen.sum(axis=0), atol=1e-12)


def test_a_deleted_run_is_gone_and_may_come_back_otherwise(memory, run):
    before = commit(memory, run, batch(1), batch(2, 5))
    assert memory.delete(run, SECONDS) == 25
    assert run not in [ledger.run for ledger in memory.ledgers(SECONDS)]
    with pytest.raises(UnknownRunError):
        memory.delete(run, SECONDS)
    smaller = IterationBatch(1, "a" * 64, "text", "encoder-9", unit(np.eye(8)), [Record(str(i), "", "", 0) for i in range(8)])
    again = commit(memory, run, smaller)
    assert again.revision > before.revision
    assert memory.nearest(again, 2, unit(np.eye(8)), 1, SECONDS).similarities[:, 0] == pytest.approx(np.ones(8))


def test_runs_never_see_each_other(memory, run):
    """Names that a careless mapping to collections would merge."""
    names = [f"{run}.a-b", f"{run}-a.b", f"{run}-a-b", f"{run}.a.b", f"{run}--a", f"{run}-ha", f"{run}.ha"]
    held = {name: batch(1, 4, seed=index) for index, name in enumerate(names)}
    try:
        ledgers = {name: commit(memory, name, held[name]) for name in names}
        for name in names:
            cosines, seen = full_scan([held[name]], 2, queries())
            nearest = memory.nearest(ledgers[name], 2, queries(), 100, SECONDS)
            np.testing.assert_allclose(nearest.similarities, -np.sort(-cosines, axis=1), atol=1e-5)
            np.testing.assert_allclose(memory.total(ledgers[name], 2, SECONDS)[0], seen.sum(axis=0), atol=1e-12)
        memory.delete(names[0], SECONDS)
        listed = [ledger.run for ledger in memory.ledgers(SECONDS) if ledger.run.startswith(run)]
        assert listed == sorted(names[1:])
        assert memory.nearest(ledgers[names[1]], 2, queries(1), 100, SECONDS).similarities.shape == (1, 4)
    finally:
        for name in names[1:]:
            memory.delete(name, SECONDS)


def test_a_thousand_iterations_fit(memory, run):
    """The ledger is one row of at most 65,535 bytes."""
    ledger = commit(memory, run, batch(1, 1))
    entry = replace(ledger.entries[0], attempt="a" * 6, items=99_999, digest="f" * 64)
    long = replace(ledger, run="r" * 64, store="s" * 8, entries=tuple(replace(entry, iteration=i) for i in range(1, 1001)))
    row = milvus_rows.ledger_row(long)
    assert len(row["content"].encode()) < 65_535
    assert type(long).from_json(json.loads(row["content"])) == long
