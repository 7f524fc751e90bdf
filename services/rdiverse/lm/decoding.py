"""The decode loop: rows of completions through a causal language model, batch by batch, on the device that the model is on.

What makes it faster than a padded `generate()`: a prompt is read once for all rows that continue it, finished rows leave the
batch, the cache is written in place, and one mask made at the start serves every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rdiverse.lm.batching import pieces
from rdiverse.lm.cache import GrowingCache, new_cache, select_rows
from rdiverse.lm.canary import BrokenModelError
from rdiverse.lm.noise import row_keys, uniforms
from rdiverse.lm.sampling import draw
from rdiverse.lm.sampling_params import SamplingParams

_SHRINK_AT = 0.875
"""The batch is compacted when no more than this share of its rows still runs: copying the cache costs about a step."""


def _never(*_arguments: Any) -> bool:
    return False


@dataclass(eq=False)
class Row:
    """One completion to draw."""

    prompt: Sequence[int]
    """Token ids that it continues; at least one."""
    params: SamplingParams
    seed: int
    prompt_index: int
    """Index for noise and for the caller."""
    sample_index: int
    limit: int
    """New tokens at most."""
    cancelled: Callable[[], bool] = _never
    wants_logprobs: bool = False
    tokens: list[int] = field(default_factory=list)
    """Filled by the loop: the tokens drawn, an end-of-sequence token included."""
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False
    """Whether the model or a stop string ended it (else: its limit)."""


# Not inference_mode: what a model keeps from a rollout (the frequencies of its positions, say) could then not be used by the
# backward pass of whoever trains it.
@torch.no_grad()
def decode(
    model: Any,
    rows: Sequence[Row],
    eos: Sequence[int],
    max_rows: int,
    met_stop: Callable[[Row, Sequence[int]], bool] = _never,
    emit: Callable[[list[Row]], object] = _never,
) -> None:
    """Draw every row, at most `max_rows` together, in their order; `emit` gets rows as they finish.

    `met_stop(row, tokens)` says whether a stop string is in the text of the tokens so far, and is asked only for rows with
    stop strings. Rows whose `cancelled()` turns true leave without being emitted.
    Deterministic: the same arguments give the same tokens. Raises BrokenModelError.
    """
    ends = np.asarray(list(eos), dtype=np.int64)
    for batch in pieces(rows, max_rows):
        _decode_batch(model, batch, ends, met_stop, emit)


def _decode_batch(
    model: Any,
    rows: Sequence[Row],
    ends: NDArray[np.int64],
    met_stop: Callable[[Row, Sequence[int]], bool],
    emit: Callable[[list[Row]], object],
) -> None:
    # 1. Read the prompts: the cache and the first logits.
    cache, logits, widths = _read_prompts(model, rows)
    state = _State(rows, widths, model)
    step = 0
    while True:
        # 2. Draw a token for every row, with noise that knows the row and the step but not the company.
        tokens = _draw_all(state, logits, step)
        step += 1
        # 3. Hand over the rows that ended with it. This is the one place where the loop waits for the device.
        drawn = tokens.cpu()
        state.record(drawn, _finished(state, drawn, step, ends, met_stop), emit)
        keep = np.flatnonzero(state.running)
        if not len(keep):
            return
        # 4. Drop finished rows once enough have finished to pay for copying the cache; until then they are computed in vain.
        if len(keep) <= _SHRINK_AT * len(state.rows):
            index = torch.from_numpy(keep).to(state.device)
            select_rows(cache, index)
            tokens = tokens[index]
            state.keep(keep)
        # 5. Feed the tokens for the next logits.
        logits = _step(model, cache, tokens, state)


class _State:
    """What is known of the rows in the batch; arrays are parallel to `rows`."""

    def __init__(self, rows: Sequence[Row], widths: NDArray[np.int64], model: Any) -> None:
        self.rows = list(rows)
        self.running = np.ones(len(rows), dtype=bool)
        self.limits = np.array([row.limit for row in rows])
        self.keys = np.concatenate(
            [row_keys(row.seed, np.array([row.prompt_index]), np.array([row.sample_index])) for row in rows]
        )
        self.device = model.device
        self.widths = torch.from_numpy(widths).to(self.device)
        """Tokens of each row's prompt, (rows,)."""
        self.has_stop = np.array([bool(row.params.stop) for row in rows])
        self.prompt_width = int(widths.max())
        self.padded = bool((widths != self.prompt_width).any())
        self.history: list[torch.Tensor] = []
        """Tokens of each step since the last compaction, each (rows,), where Python reads them."""
        self.logprobs: list[torch.Tensor] = []
        self.wants_logprobs = any(row.wants_logprobs for row in rows)
        self.dtype = model.dtype
        self._regroup()
        self._remask()

    def _regroup(self) -> None:
        kinds: dict[SamplingParams, list[int]] = {}
        for i, row in enumerate(self.rows):
            kinds.setdefault(row.params, []).append(i)
        self.groups = [(params, torch.tensor(places, device=self.device)) for params, places in kinds.items()]

    def _remask(self) -> None:
        """0 where a column may be seen, the lowest number where it is padding: (rows, 1, 1, prompt width)."""
        columns = torch.arange(self.prompt_width, device=self.device)
        hidden = columns.unsqueeze(0) < (self.prompt_width - self.widths).unsqueeze(1)
        mask = torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill(hidden, torch.finfo(self.dtype).min)
        self._mask = mask[:, None, None, :]

    def additive_mask(self, columns: int) -> torch.Tensor | None:
        """The mask for one query over `columns` columns; None when nothing is padded."""
        if not self.padded:
            return None
        if self._mask.shape[-1] < columns:
            room = self._mask.new_zeros((*self._mask.shape[:3], columns + 64 - self._mask.shape[-1]))
            self._mask = torch.cat([self._mask, room], dim=-1)
        return self._mask[..., :columns]

    def record(self, tokens: torch.Tensor, finished: NDArray[np.bool_], emit: Callable[[list[Row]], object]) -> None:
        """Take in one token a row, and hand over the rows that ended with it."""
        self.history.append(tokens)
        done = np.flatnonzero(finished & self.running)
        if len(done):
            self._flush(done)
            self.running[done] = False
            emit([self.rows[i] for i in done])
        gone = [i for i in np.flatnonzero(self.running) if self.rows[i].cancelled()]
        self.running[gone] = False

    def _flush(self, places: NDArray[np.int64]) -> None:
        """Append to these rows what was drawn since the last compaction."""
        if not self.history:
            return
        index = torch.from_numpy(places)
        block = torch.stack(self.history, dim=1)[index].tolist()
        scores = torch.stack(self.logprobs, dim=1).cpu()[index].tolist() if self.logprobs else None
        for n, i in enumerate(places):
            self.rows[i].tokens += block[n]
            if scores is not None and self.rows[i].wants_logprobs:
                self.rows[i].logprobs += scores[n]

    def tokens_of(self, place: int) -> list[int]:
        """All tokens of a row so far."""
        return self.rows[place].tokens + [int(tokens[place]) for tokens in self.history]

    def keep(self, places: NDArray[np.int64]) -> None:
        """Leave only these rows in the batch."""
        self._flush(places)
        self.history, self.logprobs = [], []
        index = torch.from_numpy(places).to(self.device)
        self.rows = [self.rows[i] for i in places]
        self.running, self.limits = self.running[places], self.limits[places]
        self.keys, self.has_stop = self.keys[places], self.has_stop[places]
        self.widths = self.widths[index]
        self._mask = self._mask[index]
        self._regroup()


def _read_prompts(model: Any, rows: Sequence[Row]) -> tuple[Any, torch.Tensor, NDArray[np.int64]]:
    """As `_prefill`, but a row a row. A prompt that rows share costs as much as many steps: it is read once and copied."""
    prompts = list(dict.fromkeys(tuple(row.prompt) for row in rows))
    cache, logits, widths = _prefill(model, prompts)
    positions = {prompt: i for i, prompt in enumerate(prompts)}
    place = np.array([positions[tuple(row.prompt)] for row in rows])
    index = torch.from_numpy(place).to(logits.device)
    select_rows(cache, index)
    return cache, logits.index_select(0, index), widths[place]


def _prefill(model: Any, prompts: Sequence[Sequence[int]]) -> tuple[Any, torch.Tensor, NDArray[np.int64]]:
    """Read the prompts, padded on the left. Gives the cache, the next token's logits (prompts, vocabulary) and the lengths."""
    widths = np.array([len(prompt) for prompt in prompts])
    width = int(widths.max())
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    for i, prompt in enumerate(prompts):
        ids[i, width - len(prompt) :] = torch.tensor(prompt)
    ids = ids.to(model.device)
    seen = (torch.arange(width).unsqueeze(0) >= torch.from_numpy(width - widths).unsqueeze(1)).to(model.device)
    padded = bool((widths != width).any())
    cache = new_cache(model.config)
    output = model(
        input_ids=ids,
        attention_mask=seen.long() if padded else None,
        position_ids=(seen.long().cumsum(-1) - 1).clamp(min=0),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return cache, output.logits[:, -1], widths


def _step(model: Any, cache: Any, tokens: torch.Tensor, state: _State) -> torch.Tensor:
    """Feed the last tokens; gives the next logits, (rows, vocabulary)."""
    fast = isinstance(cache, GrowingCache)
    columns = cache.get_seq_length() + 1
    mask: torch.Tensor | None = state.additive_mask(columns)
    if mask is not None and not fast:  # layers with masks of their own build them from the plain one
        mask = (mask[:, 0, 0] == 0).long()
    positions = state.widths + (columns - 1 - state.prompt_width)
    output = model(
        input_ids=tokens.unsqueeze(1),
        attention_mask=mask,
        position_ids=positions.unsqueeze(1),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def _draw_all(state: _State, logits: torch.Tensor, step: int) -> torch.Tensor:
    """One token a row, (rows,)."""
    noise = torch.from_numpy(uniforms(state.keys, step)).to(state.device)
    if len(state.groups) == 1:
        drawn = draw(logits, state.groups[0][0], noise, logprobs=state.wants_logprobs)
        tokens, scores = drawn.tokens, drawn.logprobs
    else:
        tokens = torch.empty(len(state.rows), dtype=torch.long, device=state.device)
        scores = torch.empty(len(state.rows), dtype=torch.double, device=state.device) if state.wants_logprobs else None
        for params, places in state.groups:
            drawn = draw(logits[places], params, noise[places], logprobs=state.wants_logprobs)
            tokens[places] = drawn.tokens
            if scores is not None and drawn.logprobs is not None:
                scores[places] = drawn.logprobs
    if step == 0 and not bool(torch.isfinite(logits).all()):
        raise BrokenModelError("the model's logits are not finite numbers")
    if scores is not None:
        state.logprobs.append(scores)
    return tokens


def _finished(
    state: _State, tokens: torch.Tensor, step: int, ends: NDArray[np.int64], met_stop: Callable[[Row, Sequence[int]], bool]
) -> NDArray[np.bool_]:
    """Which rows end with the tokens just drawn, before those are recorded."""
    ended = np.isin(tokens.numpy(), ends)
    for i in np.flatnonzero(state.has_stop & state.running & ~ended):
        ended[i] = met_stop(state.rows[i], [*state.tokens_of(int(i)), int(tokens[i])])
    for i in np.flatnonzero(ended & state.running):
        state.rows[i].ended = True
    return ended | (step >= state.limits)
