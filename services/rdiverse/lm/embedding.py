"""Texts to unit vectors, by the hidden state of each text's last token."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


@torch.inference_mode()
def embed(model: Any, texts: Sequence[Sequence[int]], max_rows: int) -> NDArray[np.float32]:
    """Embed token ids; (texts, dimension), each row of length 1 (docs/method.md, "SAM": last-token pooling).

    Batches hold texts of similar length, padded on the right: under a causal mask padding then changes nothing.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    found: dict[int, NDArray[np.float32]] = {}
    for at in range(0, len(order), max_rows):
        places = order[at : at + max_rows]
        lengths = torch.tensor([len(texts[i]) for i in places])
        width = int(lengths.max())
        ids = torch.zeros((len(places), width), dtype=torch.long)
        for n, i in enumerate(places):
            ids[n, : len(texts[i])] = torch.tensor(texts[i])
        seen = torch.arange(width).unsqueeze(0) < lengths.unsqueeze(1)
        states = model(input_ids=ids, attention_mask=seen.long()).last_hidden_state
        last = states[torch.arange(len(places)), lengths - 1].float()
        vectors = torch.nn.functional.normalize(last, dim=-1).numpy()
        found.update(zip(places, vectors, strict=True))
    return np.stack([found[i] for i in range(len(texts))])
