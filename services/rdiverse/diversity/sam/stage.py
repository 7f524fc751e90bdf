"""One stage of SAM: texts to what a model makes of them, each made once.

Looked for in this order: what was used last (in memory), what was ever made (in SQLite, for stages that cost a model's
work), and only then asked of the model.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from rdiverse.diversity import metrics
from rdiverse.diversity.sam.cache import content_key
from rdiverse.diversity.sam.lru import LruCache
from rdiverse.selfplay.programs import ProgramError

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)

_AT_HAND = 2048
"""Results in memory: vectors take about 12 MiB at 1,536 components."""
_LONGEST_AT_HAND = 4096
"""Characters of a text whose result is kept in memory."""


class StageModel(Protocol[V_co]):
    """What a stage asks: the coder (questions to programs) or an encoder (texts to unit vectors)."""

    async def version(self) -> str:
        """Changes whenever the results may. Raises DependencyUnavailableError."""

    async def make(self, texts: Sequence[str], seconds: float) -> Sequence[V_co | ProgramError]:
        """One result a text, or why there is none. Raises DependencyUnavailableError."""


@dataclass(frozen=True)
class StageStore(Generic[V]):
    """Where results outlive the process, by content key. Blocking."""

    read: Callable[[Sequence[bytes]], Mapping[bytes, V | ProgramError]]
    write: Callable[[Mapping[bytes, V | ProgramError]], None]


class Stage(Generic[V]):
    """`kind` tells stages apart in the store, `metric` in the metrics."""

    def __init__(self, model: StageModel[V], kind: str, metric: str, store: StageStore[V] | None = None) -> None:
        self._model = model
        self._kind = kind
        self._metric = metric
        self._store = store
        self._at_hand: LruCache[tuple[str, str], V | ProgramError] = LruCache(_AT_HAND)

    async def version(self) -> str:
        """The model's version. Raises DependencyUnavailableError."""
        return await self._model.version()

    async def results(self, texts: Sequence[str], end: float) -> tuple[dict[str, V | ProgramError], str]:
        """The result of each different text, or why there is none; and the model's version, "" when it was not needed.

        `end` is a time of the monotonic clock. Raises DependencyUnavailableError.
        """
        if not texts:
            return {}, ""
        version = await self._model.version()
        wanted = list(dict.fromkeys(texts))
        # 1. In memory.
        known = {text: result for (_, text), result in self._at_hand.get_many((version, text) for text in wanted).items()}
        # 2. In the store.
        missing = [text for text in wanted if text not in known]
        keys: dict[str, bytes] = {}
        if missing and self._store:
            keys, stored = await asyncio.to_thread(self._read, self._store, missing, version)
            known |= stored
            missing = [text for text in missing if text not in known]
        metrics.count_cache(self._metric, hits=len(wanted) - len(missing), misses=len(missing))
        # 3. Made now.
        if missing:
            made = dict(zip(missing, await self._model.make(missing, end - time.monotonic()), strict=True))
            if self._store:
                await asyncio.to_thread(self._store.write, {keys[text]: result for text, result in made.items()})
            known |= made
        recent = [text for text in wanted[-_AT_HAND:] if len(text) <= _LONGEST_AT_HAND]
        self._at_hand.update({(version, text): known[text] for text in recent})
        return known, version

    def _read(
        self, store: StageStore[V], texts: Sequence[str], version: str
    ) -> tuple[dict[str, bytes], dict[str, V | ProgramError]]:
        """Keys and known results of texts. For a thread: hashing a large batch would hold up the event loop."""
        keys = {text: content_key(self._kind, text, version) for text in texts}
        found = store.read(list(keys.values()))
        return keys, {text: found[key] for text, key in keys.items() if key in found}
