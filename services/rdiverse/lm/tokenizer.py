"""Between text and tokens: chat templates, prompts, stop strings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdiverse.selfplay.prompts import RenderedPrompt

_STOP_MARGIN = 8
"""Tokens looked at beyond the characters of the longest stop string; a token may decode to nothing."""


class Tokens:
    """One model's tokenizer. Calls from several threads are safe: it is only read."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)

    def render(self, prompt: RenderedPrompt) -> str:
        """The text that the model reads: the chat template's, or both parts joined by a newline where there is none."""
        if not self._tokenizer.chat_template:
            return f"{prompt.system}\n{prompt.user}" if prompt.system else prompt.user
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text

    def encode(self, prompts: Sequence[RenderedPrompt]) -> list[list[int]]:
        """Token ids of each prompt; equal prompts are encoded once. A prompt that encodes to nothing becomes one token."""
        distinct = {prompt: self.render(prompt) for prompt in prompts}
        return self._ids(dict(distinct), prompts, special=not self._tokenizer.chat_template)

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of plain texts, as an embedding model reads them."""
        return self._ids({text: text for text in texts}, texts, special=True)

    def _ids(self, distinct: dict[Any, str], wanted: Sequence[Any], *, special: bool) -> list[list[int]]:
        encoded = self._tokenizer(list(distinct.values()), add_special_tokens=special, return_attention_mask=False)["input_ids"]
        empty = [self._filler()]
        ids = {key: tokens or empty for key, tokens in zip(distinct, encoded, strict=True)}
        return [ids[key] for key in wanted]

    def _filler(self) -> int:
        tokenizer = self._tokenizer
        for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
            if token is not None:
                return int(token)
        return 0

    def decode(self, completions: Sequence[Sequence[int]]) -> list[str]:
        """Text of completions, without special tokens."""
        texts: list[str] = self._tokenizer.batch_decode(
            [list(tokens) for tokens in completions], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return texts

    def met_stop(self, stop: Sequence[str], tokens: Sequence[int]) -> bool:
        """Whether the end of a completion holds a stop string."""
        tail = self.decode([tokens[-(max(map(len, stop)) + _STOP_MARGIN) :]])[0]
        return any(string in tail for string in stop)

    def eos(self, model_config: Any, generation_config: Any) -> list[int]:
        """Every token that ends a completion: the tokenizer's, the model's and the generation configuration's."""
        found: set[int] = set()
        for holder in (self._tokenizer, model_config, generation_config):
            value = getattr(holder, "eos_token_id", None)
            found.update([value] if isinstance(value, int) else value or [])
        return sorted(found)


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first stop string in it."""
    places = [place for string in stop if (place := text.find(string)) >= 0]
    return text[: min(places)] if places else text


def visible(tokens: Sequence[int], eos: Sequence[int]) -> Sequence[int]:
    """The tokens of a completion's text: an end-of-sequence token is none, special or not."""
    return tokens[:-1] if tokens and tokens[-1] in eos else tokens
