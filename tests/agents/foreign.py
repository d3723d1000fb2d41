"""Small tokenizers of the kinds that models have: each its own way with blanks, control tokens and what it adds."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CONTROLS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

_TEXTS = [
    'def area(r):\n    """Area of a circle."""\n    return 3 * r * r\n',
    "Complete the following Python function and nothing else.\n\n```python\nimport math\n```\n",
    "<|im_start|>user\nassistant system<|im_end|>\n",
    'for x in range(10):\n\n        print(x, "é", [1, 2])\n',
] * 3


def byte_level(*, vocabulary: int = 400) -> Any:
    """Return a byte-level BPE as of GPT-2 and Qwen, whose merges go across words' ends as far as theirs do."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\s*[\r\n]+|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|\s+(?!\S)|[^\s]|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(CONTROLS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(_TEXTS, trainer)
    made.add_tokens([AddedToken("<think>", special=False), AddedToken("    ", special=False), "<|file_sep|>", "<td>"])
    return _wrapped(made, chat_template=CHATML)


def words(*, prepend: str) -> Any:
    """Return a BPE over words that begin with a blank, as sentencepiece's, with bytes for what is unknown.

    ``prepend`` says where a text gets a blank before it: ``"first"``, ``"always"``, or ``"normalizer"`` as in Llama 2.
    """
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if prepend == "normalizer":
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=prepend, split=False)  # type: ignore[arg-type]
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    # Merged up to the very control tokens: a vocabulary may hold them, and know how to make them of text.
    made.train_from_iterator(
        [*_TEXTS, *["</s>"] * 50, "<|im_end|>"],
        trainers.BpeTrainer(vocab_size=250, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False),
    )
    state = json.loads(made.to_str())
    vocabulary = state["model"]["vocab"]
    vocabulary |= {f"<0x{byte:02X}>": len(vocabulary) + byte for byte in range(256)}
    made = Tokenizer.from_str(json.dumps(state))
    made.add_special_tokens(["<unk>", "<s>", "</s>", *CONTROLS[1:]])
    made.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return _wrapped(made, bos="<s>", eos="</s>", unk="<unk>", chat_template=CHATML)


def unigram() -> Any:
    """Return a unigram model that holds its control tokens as pieces of the greatest weight, and appends an EOS."""
    letters = sorted({sign for text in _TEXTS for sign in text.replace(" ", "▁")})
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), *((sign, -8.0) for sign in letters)]
    pieces += [("▁def", -5.0), ("▁return", -5.0), ("▁area", -6.0), ("circle", -6.0), ("▁▁", -7.0)]
    made = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    made.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    made.add_special_tokens(["<unk>", "<s>", "</s>", *CONTROLS[1:]])
    return _wrapped(made, bos="<s>", eos="</s>", unk="<unk>", chat_template=CHATML)


def swallowing() -> Any:
    """Return a byte-level BPE whose control tokens take the blanks behind them, as Phi-3's, in a lower-case world."""
    made = byte_level()
    backend = made.backend_tokenizer
    backend.normalizer = normalizers.Lowercase()
    backend.add_special_tokens(
        [AddedToken("<|user|>", rstrip=True), AddedToken("<|end|>", rstrip=True, normalized=True)]
    )
    return _wrapped(
        backend,
        chat_template="{% for m in messages %}<|{{ m.role }}|>\n{{ m.content | trim }}<|end|>\n{% endfor %}",
    )


def _wrapped(made: Tokenizer, *, eos: str = CONTROLS[0], chat_template: str, **names: str) -> Any:
    tokens = {f"{name}_token": token for name, token in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=eos, chat_template=chat_template, **tokens)


def tidying() -> Any:
    """Return a tokenizer over words and signs that tidies blanks away as it decodes, unless it is told not to."""
    signs = ["<pad>", "<eos>", "return", "' '", ".join(x)", "print(x", ", ", "y)", " ", "\n", "'s", "n't"]
    made = Tokenizer(models.WordLevel({sign: k for k, sign in enumerate(signs)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"return|' '|\.join\(x\)|print\(x|, |y\)| |\n|'s|n't"), "isolated")
    made.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<eos>", pad_token="<pad>", clean_up_tokenization_spaces=True
    )
