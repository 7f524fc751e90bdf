"""What was made a moment ago, at hand without a thread or a file. To be used by one thread."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The `most` values that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def of(self, keys: Iterable[K]) -> dict[K, V]:
        """The values of those keys that are known."""
        found = {}
        for key in keys:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
                found[key] = value
        return found

    def keep(self, values: Mapping[K, V]) -> None:
        """Remember values, and forget the oldest beyond `most`."""
        self._values.update(values)
        while len(self._values) > self._most:
            self._values.popitem(last=False)
