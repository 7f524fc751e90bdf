"""The parts of the diversity service that need no server."""

import numpy as np
import pytest
from tests.support.diversity_in_memory import InMemory

from rdiverse.diversity.memory.ledger import Entry, IterationBatch, Record
from rdiverse.diversity.memory.milvus_rows import part_rows, sum_of
from rdiverse.diversity.memory.replay import draw
from rdiverse.diversity.sam.cache import SamCache, content_key
from rdiverse.selfplay.programs import ProgramError

FROZEN = [(1, 3), (2, 1), (1, 2), (1, 4)]


def test_the_mean_stays_exact_over_a_million_additions():
    """A thousand iterations of a thousand vectors, as they are stored: float64 sums of float32 vectors, as text."""
    rng = np.random.default_rng(0)
    memory, dimension, everything = InMemory(), 16, []
    total = np.zeros(dimension)
    for iteration in range(1, 1001):
        vectors = rng.normal(0.1, 1, size=(1000, dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        everything.append(vectors)
        batch = IterationBatch(iteration, f"{iteration:064x}", "program", "", vectors, [])
        [part] = part_rows(_ledger(memory, dimension), Entry(iteration, batch.digest, "a", 1000), batch)
        total += sum_of([part["content"]])
    scan = np.concatenate(everything).astype(np.longdouble)
    query = scan[0] / np.linalg.norm(scan[0])
    assert abs(float((scan @ query).mean()) - float(query @ total / len(scan))) < 1e-6
    assert np.abs(total - scan.sum(axis=0)).max() < 1e-9


def _ledger(memory, dimension):
    one = IterationBatch(1, "0" * 64, "program", "", np.eye(dimension, dtype=np.float32)[:1], [Record("q", "", "", 0)])
    return memory.commit("run", one, 1)[0]


class TestReplay:
    ENTRIES = (Entry(1, "a" * 64, "x", 5), Entry(2, "b" * 64, "y", 7))

    def test_everything_once(self):
        drawn = draw(self.ENTRIES, 100, seed=3)
        assert sorted((key.iteration, key.index) for key in drawn) == [(1, i) for i in range(5)] + [(2, i) for i in range(7)]

    def test_the_draw_is_the_same_on_every_machine(self):
        assert [(key.iteration, key.index) for key in draw(self.ENTRIES, 4, seed=3)] == FROZEN

    @pytest.mark.parametrize("seed", [0, 2**64 - 1])
    def test_any_seed(self, seed):
        assert len(set(draw(self.ENTRIES, 6, seed))) == 6

    def test_from_nothing(self):
        assert draw((), 5, 1) == []


class TestCache:
    def test_it_survives_a_restart(self, tmp_path):
        key, vector = content_key("program", "question", "coder-1"), np.arange(4, dtype=np.float32)
        first = SamCache(tmp_path / "cache.sqlite")
        first.keep_programs({key: "def f(): return 1", b"none": ProgramError("no program")})
        first.keep_vectors({key: vector})
        first.close()
        second = SamCache(tmp_path / "cache.sqlite")
        programs = second.programs([key, b"other", b"none"])
        assert {name: str(made) for name, made in programs.items()} == {key: "def f(): return 1", b"none": "no program"}
        assert isinstance(programs[b"none"], ProgramError)
        np.testing.assert_array_equal(second.vectors([key])[key], vector)
        second.close()

    def test_keys_do_not_run_into_each_other(self):
        assert content_key("ab", "c") != content_key("a", "bc")

    def test_a_damaged_file_is_put_aside(self, tmp_path):
        (tmp_path / "cache.sqlite").write_bytes(b"this is no database" * 100)
        cache = SamCache(tmp_path / "cache.sqlite")
        assert cache.programs([b"x"]) == {}
        assert (tmp_path / "cache.damaged").exists()
        cache.close()

    def test_the_oldest_rows_make_room(self, tmp_path, monkeypatch):
        monkeypatch.setattr("rdiverse.diversity.sam.cache.MAX_PROGRAMS", 3)
        cache = SamCache(tmp_path / "cache.sqlite")
        keys = [bytes([number]) for number in range(5)]
        for key in keys:
            cache.keep_programs({key: "p"})
        assert sorted(cache.programs(keys)) == keys[2:]
        cache.close()
