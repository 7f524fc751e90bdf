"""The word-level tokenizer: a text is its tokens joined by single spaces, in both directions; what it lacks is `<unk>`."""

from typing import TYPE_CHECKING

from rdiverse.nano.confusion import REFUSAL, SIGNS
from rdiverse.nano.corpus import CHALLENGER, CODER, SOLVER
from rdiverse.nano.grammar import LARGEST
from rdiverse.nano.wording import words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS, BOS, UNKNOWN = "<pad>", "<eos>", "<bos>", "<unk>"
MARKS = ("<question>", "</question>", "<code>", "</code>", "\\boxed{", "}")
_PYTHON = ("def", "solver", "(", ")", ":", ",", "return", "abs", "x", *(f"n{index}" for index in range(1, 21)))


def vocabulary() -> list[str]:
    """Every token; its place is its id. `<bos>` is there for software that insists on one; no text has it."""
    special = [PAD, EOS, BOS, UNKNOWN, CHALLENGER, SOLVER, CODER]
    tokens = [*special, *MARKS, REFUSAL, *map(str, range(LARGEST + 1)), *SIGNS, *_PYTHON, *words()]
    return list(dict.fromkeys(tokens))


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer as transformers loads it; adds no tokens of its own to a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({token: index for index, token in enumerate(vocabulary())}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        bos_token=BOS,
        unk_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
