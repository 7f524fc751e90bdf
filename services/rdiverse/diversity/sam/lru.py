"""What was used last, at hand without a thread or a file. To be used by one thread."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """The `maxsize` values that were used last."""

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._values: OrderedDict[K, V] = OrderedDict()

    def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that are known."""
        found = {}
        for key in keys:
            if key in self._values:
                self._values.move_to_end(key)
                found[key] = self._values[key]
        return found

    def update(self, values: Mapping[K, V]) -> None:
        """Remember values, and forget those used longest ago beyond `maxsize`."""
        self._values.update(values)
        while len(self._values) > self._maxsize:
            self._values.popitem(last=False)
