"""A random Qwen2 of any size over bytes: for tests and for timing, where weights do not matter."""

from __future__ import annotations

from typing import Any

import torch


def byte_tokenizer() -> Any:
    """Return a transformers tokenizer whose ids are byte values, with EOS 256 and padding 257.

    Its ids are those of :class:`codeduet.envs.ByteTokenizer`.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # ByteLevel writes a printable byte as itself and the n-th other one as code point 256 + n.
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    alphabet = [chr(byte if byte in printable else next(others)) for byte in range(256)]
    vocabulary = {sign: i for i, sign in enumerate([*alphabet, "<|eos|>", "<|pad|>"])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|eos|>", pad_token="<|pad|>")


def random_model(
    *,
    vocab_size: int = 258,
    hidden: int = 32,
    layers: int = 2,
    heads: tuple[int, int] = (4, 2),
    feed_forward: int = 0,
    seed: int = 0,
    positions: int = 2048,
) -> tuple[Any, Any]:
    """Return a random causal language model and its byte tokenizer.

    Args:
        vocab_size: ids of the model; those past the tokenizer's 258 have no text.
        hidden: width.
        layers: depth.
        heads: of attention, and those of keys and values.
        feed_forward: width of the feed-forward layers; 0 is twice ``hidden``.
        seed: of the weights.
        positions: context length.
    """
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = byte_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(
            Qwen2Config(
                vocab_size=max(vocab_size, len(tokenizer)),
                hidden_size=hidden,
                intermediate_size=feed_forward or 2 * hidden,
                num_hidden_layers=layers,
                num_attention_heads=heads[0],
                num_key_value_heads=heads[1],
                max_position_embeddings=positions,
                tie_word_embeddings=True,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=None,
            )
        )
    return model.eval(), tokenizer
