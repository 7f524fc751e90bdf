"""What only a store shared by processes has to keep: Milvus Lite's server, or the Milvus named by MILVUS_URI."""

import secrets
from contextlib import suppress

import numpy as np
import pytest
from tests.support.diversity_batches import MILVUS_URI, SECONDS, batch, commit, queries

from rdiverse.diversity.memory import milvus_rows
from rdiverse.diversity.memory.ledger import IncompatibleError
from rdiverse.diversity.memory.milvus import MilvusMemory
from rdiverse.diversity.memory.milvus_connection import Deadline, MilvusConnection
from rdiverse.diversity.memory.protocol import Key, NotTheWriterError


@pytest.fixture
def uri(request):
    return MILVUS_URI or request.getfixturevalue("lite").uri


@pytest.fixture
def name():
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
def opened(uri):
    connections = []

    def make() -> MilvusMemory:
        connections.append(MilvusConnection(uri))
        return MilvusMemory(connections[-1])

    yield make
    for connection in connections:
        connection.close()


def test_it_survives_in_another_process(opened, name):
    first = opened()
    first.claim(SECONDS)
    ledger = commit(first, name, batch(1), batch(2))
    second = opened()
    assert second.ledger(name, SECONDS) == ledger
    np.testing.assert_array_equal(second.total(ledger, 3, SECONDS)[0], first.total(ledger, 3, SECONDS)[0])
    assert second.records(ledger, [Key(2, 3)], SECONDS)[0].question == "question 2.3"
    first.delete(name, SECONDS)


def test_the_older_of_two_writers_is_one_no_more(opened, name):
    first, second = opened(), opened()
    first.claim(SECONDS)
    commit(first, name, batch(1))
    second.claim(SECONDS)
    for write in (
        lambda: first.commit(name, batch(2), SECONDS),
        lambda: first.rollback(name, 0, SECONDS),
        lambda: first.delete(name, SECONDS),
    ):
        with pytest.raises(NotTheWriterError):
            write()
    assert second.ledger(name, SECONDS).last_iteration == 1
    second.claim(SECONDS)
    commit(second, name, batch(2))
    second.delete(name, SECONDS)


def test_of_two_claims_made_at_once_one_stands(opened, name):
    """Both have read the same highest number before either writes its own."""
    first, second = opened(), opened()
    first.claim(SECONDS)
    highest = first._claim._all(Deadline(SECONDS))
    second._prepare(Deadline(SECONDS))
    for each in (first, second):
        real = each._claim._all
        answers = iter([highest])
        each._claim._all = lambda deadline, real=real, answers=answers: next(answers, None) or real(deadline)
    with suppress(NotTheWriterError):
        first._claim.make(Deadline(SECONDS))
    with suppress(NotTheWriterError):
        second._claim.make(Deadline(SECONDS))
    standing = []
    for each in (first, second):
        with suppress(NotTheWriterError):
            each.keep_claim(SECONDS)
            standing.append(each)
    assert len(standing) == 1
    commit(standing[0], name, batch(1))
    standing[0].delete(name, SECONDS)


@pytest.mark.parametrize("goes_on", [True, False], ids=["and-its-successor-writes", "and-its-successor-only-reads"])
@pytest.mark.parametrize("held", [0, 1])
def test_a_writer_that_is_overtaken_within_a_commit_does_not_do_it(opened, name, held, goes_on):
    """Stopped between its look at the claims and its ledger, it comes too late: its rows may be swept by then."""
    first, second = opened(), opened()
    first.claim(SECONDS)
    commit(first, name, *[batch(1)] * held)
    expected = [20] * held
    real, looked = first._claim.check, []

    def check(deadline: Deadline) -> None:
        real(deadline)
        if not looked:
            looked.append(True)
            second.claim(SECONDS)
            if goes_on:
                commit(second, name, batch(held + 1, 7))

    first._claim.check = check
    with pytest.raises(NotTheWriterError):
        first.commit(name, batch(held + 1, 9, digest="f" * 64), SECONDS)
    expected += [7] * goes_on
    for memory in (second, opened()):
        ledger = memory.ledger(name, SECONDS)
        assert [entry.items for entry in ledger.entries] == expected if expected else ledger is None
        if expected:
            found = memory.nearest(ledger, 9, queries(1), 100, SECONDS)
            assert found.similarities.shape == (1, sum(expected))
    commit(second, name, batch(len(expected) + 1, 2))
    third = opened()
    third.claim(SECONDS)
    assert third.ledger(name, SECONDS).items == sum(expected) + 2
    third.delete(name, SECONDS)


def test_a_reader_that_never_claimed_cannot_write(opened, name):
    with pytest.raises(NotTheWriterError):
        opened().commit(name, batch(1), SECONDS)


def test_rows_of_dead_attempts_are_invisible_and_swept(opened, name, uri):
    first = opened()
    first.claim(SECONDS)
    ledger = commit(first, name, batch(1))
    first._claim.check = lambda deadline: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):  # everything written but the ledger that names it
        first.commit(name, batch(2), SECONDS)
    second = opened()
    assert second.ledger(name, SECONDS) == ledger
    assert second.nearest(ledger, 9, queries(1), 100, SECONDS).similarities.shape == (1, 20)
    connection = MilvusConnection(uri)
    collection = milvus_rows.store_collection(ledger)
    named = lambda: [
        found for found in connection.call(9, "list_partitions", collection_name=collection) if found.startswith("i")
    ]
    assert len(named()) == 2
    second.claim(SECONDS)
    assert named() == [milvus_rows.partition(ledger.entries[0])]
    commit(second, name, batch(2))
    second.delete(name, SECONDS)
    connection.close()


def test_another_schema_version_is_refused(opened, name):
    first = opened()
    first.claim(SECONDS)
    row = milvus_rows.version_row()
    first._connection.call(SECONDS, "upsert", collection_name=milvus_rows.LEDGERS, data=[row | {"revision": 99}])
    try:
        with pytest.raises(IncompatibleError, match="schema version 99"):
            opened().claim(SECONDS)
    finally:
        first._connection.call(SECONDS, "upsert", collection_name=milvus_rows.LEDGERS, data=[row])
