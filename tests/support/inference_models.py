"""A tiny random Qwen3 with a tokenizer and a chat template of its own: any Hugging Face model, in small.

Its tokens are bytes, and besides them whole marks (a question's, boxed answers), which it likes: so random weights give
proposals, answers and votes.
"""

from pathlib import Path

MARKS = ("<question>", "</question>", *(f" \\boxed{{{n}}}" for n in range(4)), " \\boxed{1/2}", " \\boxed{0.5}")
SPECIAL = ("<|pad|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tiny_model(
    folder: Path,
    seed: int = 0,
    *,
    chat: bool = True,
    hidden: int = 64,
    layers: int = 2,
    head: int = 16,
    positions: int = 512,
    marks: tuple[str, ...] = MARKS,
    **config,
) -> Path:
    """Write a model directory; the same arguments give the same weights. Returns `folder`."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = _tokenizer(marks, chat=chat)
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=hidden,
            intermediate_size=2 * hidden,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=head,
            max_position_embeddings=positions,
            tie_word_embeddings=False,
            initializer_range=0.2,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            **config,
        )
    )
    with torch.no_grad():
        for token in marks:
            model.lm_head.weight[tokenizer.convert_tokens_to_ids(token)] *= 2.5
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(marks: tuple[str, ...], *, chat: bool):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.add_tokens([AddedToken(mark, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|im_end|>",
        chat_template=CHAT_TEMPLATE if chat else None,
        clean_up_tokenization_spaces=False,
    )
