"""Text and token ids: control tokens that text cannot become, and ids decoded to the letter.

A prompt quotes what others wrote: a teammate's code, a problem, feedback. A tokenizer reads ``<|im_end|>`` in it as the
token that ends a turn, and the model then reads a conversation that never was. So what is quoted is encoded as the text
it is, and control tokens are those that the template wrote. Where nobody quotes one, which is always but for tricks and
for programs about tokenizers, ids are those of the whole text encoded at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from codeduet.agents.engine import cut
from codeduet.envs import InputError

_BRACKETED = re.compile(r"<[|｜].*[|｜]>")
"""The form of control tokens, marked as such or not."""

_MARK = "\U000f0000"
"""Begins a stand-in: a private sign, repeated more often than anywhere in the text."""

_OWN, _QUOTED = 0xF0001, 0x100000
"""Ends a stand-in, with the control token's number added: a token of the template, or the text of one."""


def control_tokens(tokenizer: Any, template: str = "") -> dict[str, int]:
    """Return the tokens that steer a model and stand for no text, each with its id.

    They are the added tokens that are marked special, that ``template`` (what a chat template writes) holds, or that have
    the form ``<|...|>``, as those of code models that mark files and gaps. The other added tokens are pieces of text that
    count as one token, such as runs of blanks and HTML tags, and stay so.
    """
    added = {token.content: (number, token.special) for number, token in tokenizer.added_tokens_decoder.items()}
    marked = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    return {
        text: number
        for text, (number, special) in {**added, **{text: (number, True) for text, number in marked.items()}}.items()
        if text.strip() and (special or text in template or _BRACKETED.fullmatch(text))
    }


def own_prefix(tokenizer: Any) -> tuple[int, ...]:
    """Return the ids a tokenizer puts before a text, such as a BOS.

    Those that it puts behind one, such as an EOS, would tell a model that its prompt is over, and are left out.
    """
    bare, whole = tokenizer("a", add_special_tokens=False)["input_ids"], tokenizer("a")["input_ids"]
    starts = (k for k in range(len(whole) - len(bare) + 1) if whole[k : k + len(bare)] == bare)
    return tuple(whole[: next(starts, 0)])


class PromptEncoder:
    """Encodes prompts whose only control tokens are the template's.

    Args:
        tokenizer: a transformers tokenizer.
        controls: its control tokens (:func:`control_tokens`).
        render: puts a text into the template.
    """

    def __init__(self, tokenizer: Any, controls: Mapping[str, int], render: Callable[[str], str] = str) -> None:
        self.tokenizer = tokenizer
        self.render = render
        self._numbers = {text: k for k, text in enumerate(controls)}
        self._controls = dict(controls)
        # The longest first, as tokenizers match.
        names = sorted(controls, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, names)) or r"(?!)")
        self._steering = self._controls_of(self._ids(render("x")))
        self._renamed: dict[int, Any] = {}

    def encode(self, text: str) -> tuple[int, ...]:
        """Return the ids of ``text`` in its template."""
        whole = self.render(text)
        ids = self._ids(whole)
        if self._controls_of(ids) == self._steering:
            return ids
        return self._careful(text, 1 + max(map(len, re.findall(f"{_MARK}+", whole)), default=0))

    def shown(self, text: str) -> str:
        """Return ``text`` in its template, as it is read: a template that looks into the text sees no control token."""
        marks = 1 + max(map(len, re.findall(f"{_MARK}+", text)), default=0)
        return self._quoted_again(self.render(self._stand_ins(text, marks, _QUOTED)), marks)

    def _careful(self, text: str, marks: int) -> tuple[int, ...]:
        """Encode by a tokenizer that knows its control tokens under other names, which only the template uses."""
        quoted = self.render(self._stand_ins(text, marks, _QUOTED))
        whole = self._quoted_again(self._stand_ins(quoted, marks, _OWN), marks)
        if getattr(self.tokenizer, "backend_tokenizer", None) is not None:
            return tuple(self._backend(marks).encode(whole, add_special_tokens=False).ids)
        ids: list[int] = []
        for piece in re.split(f"({_MARK * marks}[^{_MARK}])", whole):
            number = ord(piece[-1]) - _OWN if piece.startswith(_MARK * marks) else -1
            if 0 <= number < len(self._numbers):
                ids.append([*self._controls.values()][number])
            elif piece:
                ids += self.tokenizer.encode(piece, add_special_tokens=False, split_special_tokens=True)
        return tuple(ids)

    def _stand_ins(self, text: str, marks: int, kind: int) -> str:
        return self._pattern.sub(lambda found: self._name(found[0], marks, kind), text)

    def _name(self, control: str, marks: int, kind: int) -> str:
        return _MARK * marks + chr(kind + self._numbers[control])

    def _quoted_again(self, text: str, marks: int) -> str:
        names = list(self._numbers)
        last = chr(_QUOTED + max(len(names) - 1, 0))
        return re.sub(f"{_MARK * marks}([{chr(_QUOTED)}-{last}])", lambda found: names[ord(found[1]) - _QUOTED], text)

    def _backend(self, marks: int) -> Any:
        """Return the tokenizer with its control tokens renamed: every id is what it was."""
        if marks not in self._renamed:
            from tokenizers import Tokenizer

            new = {text: self._name(text, marks, _OWN) for text in self._numbers}
            state = json.loads(self.tokenizer.backend_tokenizer.to_str())
            state |= dict.fromkeys(("post_processor", "truncation", "padding"))
            for token in state["added_tokens"]:
                if token["content"] in new:
                    token["content"] = new[token["content"]]
            # Some vocabularies hold the control tokens too, and would make them of text.
            model = state["model"]
            if isinstance(model["vocab"], dict):
                model["vocab"] = {new.get(piece, piece): number for piece, number in model["vocab"].items()}
            else:
                model["vocab"] = [[new.get(piece, piece), score] for piece, score in model["vocab"]]
            if "merges" in model:
                pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
                model["merges"] = [pair for pair in pairs if not new.keys() & {*pair, "".join(pair)}]
            if model.get("unk_token") in new:
                model["unk_token"] = new[model["unk_token"]]
            self._renamed[marks] = Tokenizer.from_str(json.dumps(state))
        return self._renamed[marks]

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _controls_of(self, ids: Sequence[int]) -> list[int]:
        known = set(self._controls.values())
        return [number for number in ids if number in known]


def check_ids(model: str, tokenizer: Any, rows: int, written: AbstractSet[str]) -> None:
    """Refuse a tokenizer that makes ids of a prompt for which the model has no embedding.

    Args:
        model: the model's name, for the message.
        tokenizer: a transformers tokenizer.
        rows: ids that the model has embeddings for.
        written: the control tokens that the chat template writes into a prompt.

    Raises:
        InputError: there are such ids.
    """
    # Special tokens come into a prompt by the template and by the tokenizer's own hand only: those of pictures, beyond
    # the embeddings of a model that reads text, never do.
    used = {tokenizer.bos_token, tokenizer.eos_token} | written
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    beyond = {
        token: number
        for token, number in tokenizer.get_vocab().items()
        if number >= rows and (token in used or token not in special)
    }
    if beyond:
        token = max(beyond, key=lambda token: beyond[token])
        raise InputError(
            f"model {model!r} has {rows} embeddings and its tokenizer more ids, {beyond[token]} ({token!r}) for one: take "
            "the tokenizer of that model, or resize its embeddings and train them"
        )


def completion_text(tokenizer: Any, ids: Sequence[int], ends: frozenset[int], stop: Sequence[str]) -> str:
    """Return the text of a completion: without special tokens, the id that ended it, and a stop string with its rest.

    Args:
        tokenizer: a transformers tokenizer.
        ids: the completion, its last id included.
        ends: ids that end a completion; a turn's end need not be marked special.
        stop: strings that end one.
    """
    said = ids[:-1] if ids and ids[-1] in ends else ids
    # Some tokenizers tidy blanks away as they decode, and programs need theirs: ' '.join is not ''.join.
    return cut(tokenizer.decode(list(said), skip_special_tokens=True, clean_up_tokenization_spaces=False), stop)
