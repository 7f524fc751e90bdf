"""A stage of SAM asks its model once for each text and version, over restarts too."""

import asyncio
import time

import pytest

from rdiverse.diversity.sam.cache import SamCache
from rdiverse.diversity.sam.lru import LruCache
from rdiverse.diversity.sam.stage import Stage, StageStore
from rdiverse.selfplay.programs import ProgramError


class Upper:
    """A model that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.name = "1"

    async def version(self) -> str:
        return self.name

    async def make(self, texts, seconds):
        assert 0 < seconds <= 5
        self.asked += texts
        return [ProgramError("empty") if text == "bad" else text.upper() for text in texts]


@pytest.fixture
def cache(tmp_path):
    opened = SamCache(tmp_path / "cache.sqlite")
    yield opened
    opened.close()


def stage(model, cache) -> Stage[str]:
    return Stage(model, "upper", "program", StageStore(cache.programs, cache.keep_programs))


def results(stage, *texts):
    made, version = asyncio.run(stage.results(texts, time.monotonic() + 5))
    return {text: str(result) for text, result in made.items()}, version


def test_each_text_is_made_once(cache):
    model = Upper()
    first = stage(model, cache)
    assert results(first, "a", "b", "a") == ({"a": "A", "b": "B"}, "1")
    assert results(first, "b", "c") == ({"b": "B", "c": "C"}, "1")
    assert model.asked == ["a", "b", "c"]
    assert results(first) == ({}, "")


def test_results_and_failures_outlive_the_process(cache):
    results(stage(Upper(), cache), "a", "bad")
    model = Upper()
    assert results(stage(model, cache), "bad", "a") == ({"bad": "empty", "a": "A"}, "1")
    assert model.asked == []


def test_another_version_is_asked_again(cache):
    model = Upper()
    only = stage(model, cache)
    results(only, "a")
    model.name = "2"
    assert results(only, "a") == ({"a": "A"}, "2")
    assert model.asked == ["a", "a"]


def test_without_a_store_a_restart_asks_again():
    model = Upper()
    assert [results(Stage(model, "upper", "program"), "a") for _ in range(2)] == [({"a": "A"}, "1")] * 2
    assert model.asked == ["a", "a"]


def test_what_was_used_longest_ago_makes_room():
    recent: LruCache[str, int] = LruCache(2)
    recent.update({"a": 1, "b": 2})
    assert recent.get_many(["a", "x"]) == {"a": 1}
    recent.update({"c": 3})
    assert recent.get_many(["a", "b", "c"]) == {"a": 1, "c": 3}
