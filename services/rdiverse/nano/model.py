"""The shape of the base model: a plain Llama of about 0.4 million parameters, so that any engine loads it."""

from typing import TYPE_CHECKING

from rdiverse.nano.tokenizer import BOS, EOS, PAD, vocabulary

if TYPE_CHECKING:
    from transformers import LlamaConfig

LONGEST = 512
"""Positions that the model knows, in tokens."""


def model_config() -> "LlamaConfig":
    """Three layers of width 96; input and output share one embedding."""
    from transformers import LlamaConfig

    ids = {token: index for index, token in enumerate(vocabulary())}
    return LlamaConfig(
        vocab_size=len(ids),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=3,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        initializer_range=0.06,
        pad_token_id=ids[PAD],
        eos_token_id=ids[EOS],
        bos_token_id=ids[BOS],
    )
