"""Between text and tokens: chat templates, prompts, stop strings. Importable where torch may not be."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdiverse.selfplay.prompts import RenderedPrompt

_STOP_MARGIN = 8
"""Tokens looked at beyond the characters of the longest stop string; a token may decode to nothing."""


class ChatTokenizer:
    """One model's tokenizer. Calls from several threads are safe: it is only read."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self.library: Any = AutoTokenizer.from_pretrained(folder)
        """transformers' own, for other libraries."""

    def render(self, prompt: RenderedPrompt) -> str:
        """The text that the model reads: the chat template's, or both parts joined by a newline where there is none."""
        if not self.library.chat_template:
            return f"{prompt.system}\n{prompt.user}" if prompt.system else prompt.user
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        text: str = self.library.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text

    def encode(self, prompts: Sequence[RenderedPrompt]) -> list[list[int]]:
        """Token ids of each prompt."""
        rendered = {prompt: self.render(prompt) for prompt in set(prompts)}
        return self.encode_rendered([rendered[prompt] for prompt in prompts])

    def encode_rendered(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered prompts. A chat template has written the special tokens already."""
        return self._ids(texts, special=not self.library.chat_template)

    def encode_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of plain texts, as an embedding model reads them."""
        return self._ids(texts, special=True)

    def _ids(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Equal texts are encoded once. One that encodes to nothing becomes one token: a model must read something."""
        distinct = list(dict.fromkeys(texts))
        encoded = self.library(distinct, add_special_tokens=special, return_attention_mask=False)["input_ids"]
        empty = [self._filler()]
        ids = {text: tokens or empty for text, tokens in zip(distinct, encoded, strict=True)}
        return [ids[text] for text in texts]

    def _filler(self) -> int:
        tokenizer = self.library
        for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
            if token is not None:
                return int(token)
        return 0

    def decode(self, completions: Sequence[Sequence[int]]) -> list[str]:
        """Text of completions, without special tokens."""
        texts: list[str] = self.library.batch_decode(
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
        for holder in (self.library, model_config, generation_config):
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
