"""A key-value cache that writes in place: the library's own copies the whole cache for every token."""

from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import CacheLayerMixin

_BLOCK = 64
"""Columns that a layer grows by."""


class _GrowingLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, (rows, heads, columns, head size), of which the first `length` columns are in use."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.length = 0
        self.keys: Any
        self.values: Any

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys, self.values = (_room(states, 0, states.shape[-2]) for states in (key_states, value_states))
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_args: Any, **_kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append columns; give views of all that are in use."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[-2]
        if end > self.keys.shape[-2]:
            self.keys, self.values = (_room(states, self.length, end) for states in (self.keys, self.values))
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: torch.Tensor) -> None:
        """Make row i what row rows[i] was; rows may repeat."""
        self.keys, self.values = (states.index_select(0, rows) for states in (self.keys, self.values))

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return -1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0


class GrowingCache(Cache):
    """For models whose every layer attends to everything before it."""

    def __init__(self, num_layers: int) -> None:
        super().__init__(layers=[_GrowingLayer() for _ in range(num_layers)])


def new_cache(config: Any) -> Cache:
    """An empty cache for a model: one that writes in place where every layer attends to everything, else the library's."""
    text = config.get_text_config(decoder=True)
    return GrowingCache(text.num_hidden_layers) if attends_fully(config) else DynamicCache(config=config)


def attends_fully(config: Any) -> bool:
    """Whether every layer attends to all earlier positions (no sliding windows, no recurrence)."""
    text = config.get_text_config(decoder=True)
    kinds = getattr(text, "layer_types", None)
    if kinds is not None:
        return all(kind == "full_attention" for kind in kinds)
    return getattr(text, "sliding_window", None) is None and hasattr(text, "num_attention_heads")


def select_rows(cache: Cache, rows: torch.Tensor) -> None:
    """Make row i of the cache what row rows[i] was."""
    for layer in cache.layers:
        if isinstance(layer, _GrowingLayer):
            layer.select(rows)
        else:
            layer.reorder_cache(rows)  # type: ignore[arg-type]


def _room(states: torch.Tensor, used: int, needed: int) -> torch.Tensor:
    rows, heads, _, size = states.shape
    columns = -(-(needed + 1) // _BLOCK) * _BLOCK
    larger = states.new_empty((rows, heads, columns, size))
    larger[:, :, :used] = states[:, :, :used]
    return larger
