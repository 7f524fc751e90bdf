"""Scorer and committer without a server: plain values in and out, a memory that scans everything."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from tests.support.diversity_in_memory import InMemory
from tests.support.diversity_oracle import expected_scores

from rdiverse.diversity.memory.ledger import IncompatibleError, OutOfOrderError, StaleRevisionError, UnknownRunError
from rdiverse.diversity.memory.reader import MemoryReader
from rdiverse.diversity.sam.cache import SamCache
from rdiverse.diversity.sam.embedder import Embeddable, Origin, Representation, SamEmbedder
from rdiverse.diversity.scoring.committer import CommitQuery, Committer
from rdiverse.diversity.scoring.embedding import ItemError
from rdiverse.diversity.scoring.scorer import TURNS, ScoreQuery, Scorer
from rdiverse.grpcio_kit.errors import DependencyUnavailableError
from rdiverse.selfplay.rewards import PenaltyConstants

DIMENSION = 32
PROGRAM = "def solver(a=1, b=2):\n    return a {} b"


def seconds() -> float:
    return 60.0


class Watched(MemoryReader):
    """Counts the searches that are asked for at the same time."""

    running = most = 0

    async def similarities(self, *arguments):
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.01)
        try:
            return await super().similarities(*arguments)
        finally:
            self.running -= 1


class Core:
    def __init__(self, folder) -> None:
        sam, memory = SamEmbedder(None, None, DIMENSION, SamCache(folder / "cache.sqlite")), InMemory()
        computing, writing = ThreadPoolExecutor(2), ThreadPoolExecutor(1)
        self.reads = Watched(memory)
        self._scorer = Scorer(sam, self.reads, computing)
        self._committer = Committer(sam, memory, self.reads, computing, writing)

    async def commit(self, iteration, items, **changes):
        query = CommitQuery("run", iteration, f"{iteration:064x}", items, [("7", 0.5)] * len(items))
        return await self._committer.commit(replace(query, **changes), seconds)

    async def score(self, items, before=2, **changes):
        query = ScoreQuery("run", before, items, changes.pop("constants", PenaltyConstants()))
        return await self._scorer.score(replace(query, **changes), seconds)

    async def neighbors(self, item, count=5, min_revision=0):
        return await self._scorer.neighbors("run", item, 1001, count, min_revision, seconds)


def in_loop(folder, scenario):
    async def run():
        await scenario(Core(folder))

    asyncio.run(run())


def vectors(count, seed):
    rows = np.random.default_rng(seed).normal(size=(count, 4))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def items(rows):
    return [Embeddable(f"question {index}", vector=row) for index, row in enumerate(rows)]


@pytest.mark.parametrize("constants", [PenaltyConstants(), PenaltyConstants(1.2, 0.2, -0.1, -0.5)])
def test_scores_are_those_of_the_full_scan(tmp_path, constants):
    held, batch = vectors(9, 1), vectors(8, 2)

    async def scenario(core):
        await core.commit(1, items(held))
        # One without a program counts in the batch, joins no cluster and is not novel.
        lost = Embeddable("lost", program="not a program")
        scored = await core.score([*items(batch), lost], constants=constants)
        wanted = expected_scores(
            [*batch, None], list(held), threshold=constants.cluster_threshold, gamma=constants.gamma,
            tau_max=constants.tau_max, tau_mean=constants.tau_mean,
        )  # fmt: skip
        for item, expected in zip(scored.items, wanted, strict=True):
            found = item.penalties
            assert (found.p_rep, found.s_max, found.s_mean, found.p_map) == pytest.approx(
                (expected.p_rep, expected.s_max, expected.s_mean, expected.p_map), abs=1e-6
            )
        assert scored.items[-1].embedded.failure
        assert (scored.memory_items, scored.revision) == (9, 1)
        assert scored.clusters == len({item.penalties.cluster for item in scored.items[:-1]})

    in_loop(tmp_path, scenario)


def test_against_no_memory_there_is_no_memory_penalty(tmp_path):
    async def scenario(core):
        scored = await core.score(items(vectors(4, 3)))
        assert [item.penalties.p_map for item in scored.items] == [0.0] * 4
        assert (scored.memory_items, scored.revision) == (0, None)
        await core.commit(1, items(vectors(2, 4)))
        assert (await core.score(items(vectors(4, 3)), before=1)).memory_items == 0

    in_loop(tmp_path, scenario)


def test_programs_are_embedded_and_the_nearest_item_is_told(tmp_path):
    async def scenario(core):
        known = [Embeddable("sum", PROGRAM.format("+")), Embeddable("product", PROGRAM.format("*"))]
        await core.commit(1, known)
        scored = await core.score([Embeddable("other words", PROGRAM.format("+"))], with_nearest=True)
        [item] = scored.items
        assert item.embedded.origin is Origin.PROGRAM
        assert item.penalties.s_max == pytest.approx(1, abs=1e-6)
        assert item.nearest is not None
        assert (item.nearest.question, item.nearest.answer, item.nearest.iteration) == ("sum", "7", 1)
        found = await core.neighbors(known[1])
        assert [record.question for record, _ in found.neighbors] == ["product", "sum"]

    in_loop(tmp_path, scenario)


def test_words_are_clustered_without_a_coder_against_an_empty_memory(tmp_path):
    async def scenario(core):
        batch = [Embeddable("how many apples has Anna"), Embeddable("how many apples has Anna"), Embeddable("the moon")]
        scored = await core.score(batch, by_words=True)
        assert [item.penalties.p_rep for item in scored.items] == pytest.approx([2 / 3, 2 / 3, 1 / 3])
        with pytest.raises(DependencyUnavailableError, match="coder: is not configured"):
            await core.score(batch)

    in_loop(tmp_path, scenario)


def test_what_cannot_be_compared_is_refused(tmp_path):
    async def scenario(core):
        with pytest.raises(ItemError) as unequal:
            await core.score([*items(vectors(2, 5)), Embeddable("q", vector=np.ones(5, dtype=np.float32))])
        assert (unequal.value.index, unequal.value.part) == (2, "vector")
        with pytest.raises(ItemError) as failed:
            await core.commit(1, [Embeddable("q", program="not a program")])
        assert (failed.value.index, failed.value.part) == (0, "")
        await core.commit(1, items(vectors(2, 6)))
        with pytest.raises(ItemError, match="must have 4 components"):
            await core.neighbors(Embeddable("q", vector=np.ones(5, dtype=np.float32)))
        with pytest.raises(IncompatibleError):
            await core.score([Embeddable("text")], representation=Representation.TEXT)

    in_loop(tmp_path, scenario)


def test_commits_are_idempotent_and_in_order(tmp_path):
    async def scenario(core):
        first, already = await core.commit(1, items(vectors(2, 7)))
        assert not already
        assert await core.commit(1, items(vectors(2, 7))) == (first, True)
        with pytest.raises(OutOfOrderError):
            await core.commit(3, items(vectors(2, 7)))
        with pytest.raises(StaleRevisionError):
            await core.score(items(vectors(1, 1)), min_revision=2)
        with pytest.raises(UnknownRunError, match="run none has no memory"):
            await core.reads.existing("none", 1)

    in_loop(tmp_path, scenario)


def test_a_bounded_number_of_calls_searches_at_once(tmp_path):
    async def scenario(core):
        await core.commit(1, items(vectors(20, 8)))
        await asyncio.gather(*(core.score(items(vectors(2, seed))) for seed in range(3 * TURNS)))
        assert core.reads.most == TURNS

    in_loop(tmp_path, scenario)
