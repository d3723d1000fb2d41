"""Chat templates: what they need is asked for in one line, and how they end a turn is read off them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.agents import foreign

from codeduet.agents import PromptFormatter, Request, Sampling
from codeduet.agents.build import make_formatter, make_team
from codeduet.agents.config import SeatConfig, TeamConfig
from codeduet.agents.hf import HFEngine
from codeduet.agents.policy import Policy
from codeduet.agents.random_model import random_model
from codeduet.agents.team import Team, load_team, load_untrained, load_weightless
from codeduet.agents.template import ChatTemplate, resolve_style
from codeduet.envs import MAIN, InputError
from codeduet.envs.roles import DUET, SINGLE

OBSERVATION = {
    "prompt": 'def area(r):\n    """Area."""\n',
    "entry_point": "area",
    "helper_code": "",
    "previous_code": "",
    "feedback": "",
}

HARMONY = """\
{%- for m in messages -%}
<|start|>{{ m.role }}
{%- if m.role == 'assistant' -%}
{%- if m.thinking %}<|channel|>analysis<|message|>{{ m.thinking }}<|end|><|start|>assistant{% endif -%}
<|channel|>final<|message|>{{ m.content }}{{ '<|return|>' if loop.last else '<|end|>' }}
{%- else -%}
<|message|>{{ m.content }}<|end|>
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}<|start|>assistant{% endif -%}"""


def tokenizer_with(template: str, *tokens: str) -> Any:
    made = foreign.byte_level()
    made.add_tokens(list(tokens))
    made.chat_template = template
    return made


def strict(wanted: str) -> str:
    """Return a template that raises unless ``wanted`` holds of the conversation."""
    return "{% if not (" + wanted + ") %}{{ raise_exception('not so') }}{% endif %}" + foreign.CHATML


def test_a_template_gets_the_system_message_and_the_arguments_it_needs() -> None:
    system = tokenizer_with(strict("messages[0].role == 'system'"))
    with pytest.raises(InputError, match=r"^the chat template needs a system message \(.*not so\): set team.system$"):
        PromptFormatter(system)
    told = PromptFormatter(system, system="You program.").render(MAIN, OBSERVATION)
    assert told.startswith("<|im_start|>system\nYou program.<|im_end|>\n<|im_start|>user\nComplete the following")

    dated = tokenizer_with("{{ today | upper + '\\n' }}" + strict("today is defined"))
    dated.chat_template = strict("today is defined") + "{{ today + 1 }}"
    with pytest.raises(InputError, match=r"set team.template to the arguments it needs, or team.prompt=base"):
        PromptFormatter(dated)
    assert PromptFormatter(dated, template={"today": 6}).render(MAIN, OBSERVATION).endswith("assistant\n7")
    assert PromptFormatter(dated, "base").render(MAIN, OBSERVATION) == OBSERVATION["prompt"]


def test_a_template_that_prints_todays_date_prints_the_same_one_every_day() -> None:
    dated = "\n{% set form = '%Y-%m-%d, %A %-d %B' %}{{ strftime_now('%d %b %Y') }} or {{ strftime_now(form) }}.\n"
    today = "\n26 Jul 2024 or 2024-07-26, Friday 26 July.\n"
    plain = tokenizer_with(foreign.CHATML)
    untouched = PromptFormatter(plain).render(MAIN, OBSERVATION)
    assert PromptFormatter(tokenizer_with(dated + foreign.CHATML)).render(MAIN, OBSERVATION) == today + untouched
    # So does one among several, and one that is given; Llama's asks first whether a date is given.
    plain.chat_template = {"default": foreign.CHATML, "dated": dated + foreign.CHATML}
    for chosen in ("dated", dated + foreign.CHATML):
        assert PromptFormatter(plain, template={"chat_template": chosen}).render(MAIN, OBSERVATION) == today + untouched
    llama = "{% if not day is defined and strftime_now is defined %}{% set day = strftime_now('%d %b') %}{% endif %}{{ day }}"
    for given, day in (({}, "26 Jul"), ({"day": "1 May"}, "1 May")):
        formatter = PromptFormatter(tokenizer_with(llama + foreign.CHATML), template=given)
        assert formatter.render(MAIN, OBSERVATION) == day + untouched


def test_a_system_message_that_a_template_refuses_or_drops_is_told() -> None:
    refusing = tokenizer_with(strict("messages[0].role != 'system'"))
    dropping = tokenizer_with(foreign.CHATML.replace("{% for m in messages %}", "{% for m in messages[-1:] %}"))
    for tokenizer in (refusing, dropping):
        with pytest.raises(InputError, match=r"takes no system message .*: leave team.system empty"):
            PromptFormatter(tokenizer, system="You program.")
        assert PromptFormatter(tokenizer).render(MAIN, OBSERVATION)


def test_a_template_that_reads_parts_gets_parts_and_one_that_reads_nothing_is_refused() -> None:
    parts = "{% for m in messages %}<|im_start|>{% for p in m.content %}{{ p.text }}{% endfor %}<|im_end|>{% endfor %}"
    assert "Complete the following" in PromptFormatter(tokenizer_with(parts)).render(MAIN, OBSERVATION)
    with pytest.raises(InputError, match=r"cannot render a user's message .*missing") as caught:
        PromptFormatter(tokenizer_with("<|im_start|>user\n"))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="cannot render"):
        PromptFormatter(tokenizer_with("{% for %}"))


def test_what_is_not_the_users_to_choose_is_refused() -> None:
    with pytest.raises(InputError, match=r"team.template cannot set 'tokenize'"):
        PromptFormatter(foreign.byte_level(), template={"tokenize": True})
    bare = foreign.byte_level()
    bare.chat_template = None
    with pytest.raises(InputError, match=r"has no chat template: set team.prompt=base"):
        PromptFormatter(bare, "chat")
    assert [resolve_style("auto", tokenizer) for tokenizer in (bare, foreign.byte_level())] == ["base", "chat"]


OPEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "{% if not loop.last or add_generation_prompt %}<|im_end|>\n{% endif %}{% endfor %}"
)
CLOSED = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"


@pytest.mark.parametrize(
    ("template", "end"),
    [
        (foreign.CHATML, "<|im_end|>"),
        (HARMONY, "<|return|>"),
        # The last turn of a conversation stays open, as in Qwen 1.5's.
        (OPEN, "<|im_end|>"),
        (CLOSED + " {{ eos_token }}{% endfor %}", "<|endoftext|>"),
        (CLOSED + "<|end|>\n{% endfor %}{{ eos_token }}", "<|end|>"),  # as Phi-3's
        ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", None),
        ("{% for m in messages %}<think>{{ m.content }} Done.<|im_end|>{% endfor %}", None),
        ("{% for m in messages %}<|im_start|>{{ m.content }}</think>{% endfor %}", "</think>"),  # not marked special
    ],
)
def test_the_id_that_ends_a_turn_is_read_off_the_template(template: str, end: str | None) -> None:
    tokens = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", "<|user|>", "</think>")
    tokenizer = tokenizer_with(template, *tokens)
    ends = ChatTemplate(tokenizer).turn_ends()
    assert ends == (set() if end is None else {tokenizer.convert_tokens_to_ids(end)})


def test_harmonys_end_of_a_channel_ends_no_turn_even_where_it_closes_one() -> None:
    tokens = ("<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>")
    tokenizer = tokenizer_with(HARMONY.replace("'<|return|>' if loop.last else '<|end|>'", "'<|end|>'"), *tokens)
    assert ChatTemplate(tokenizer).turn_ends() == set()


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model with a chat template: its end-of-sequence token is not what ends a turn."""
    folder = tmp_path_factory.mktemp("models") / "chatting"
    tokenizer = foreign.byte_level()
    model, _ = random_model(vocab_size=len(tokenizer))
    model.generation_config.eos_token_id = model.config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_turns_end_ends_completions_of_chats_only(chatting: Path) -> None:
    for load in (load_team, load_untrained, load_weightless):
        team = load(str(chatting), (MAIN,))
        eos, end = (team.tokenizer.convert_tokens_to_ids(token) for token in ("<|endoftext|>", "<|im_end|>"))
        assert team[MAIN].eos_ids == {eos, end}
        assert load(str(chatting), (MAIN,), TeamConfig(prompt="base"))[MAIN].eos_ids == {eos}
    team = make_team(TeamConfig(model=str(chatting), lora_rank=2), SINGLE, seed=0)
    assert team[MAIN].eos_ids == {eos, end}
    team[MAIN].activate().generation_config.eos_token_id = [eos, 7]
    assert team[MAIN].eos_ids == {eos, end, 7}


@pytest.mark.parametrize("closer", ["<|im_end|>", "<|file_sep|>"])  # marked special, and not
def test_transformers_stops_at_the_turns_end(chatting: Path, closer: str) -> None:
    template = {"chat_template": foreign.CHATML.replace("<|im_end|>", closer)}
    team = load_untrained(str(chatting), (MAIN,), TeamConfig(template=template))
    end = team.tokenizer.convert_tokens_to_ids(closer)

    class AfterThree(torch.nn.Module):
        """The head: two tokens of text, the turn's end, and on."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = team[MAIN].model.lm_head.weight
            self.step = 0

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            self.step += 1
            logits = torch.zeros(*hidden.shape[:-1], len(self.weight))
            logits[..., end if self.step == 3 else 100] = 50.0
            return logits

    team[MAIN].model.lm_head = AfterThree()
    sampling = Sampling(temperature=0, max_new_tokens=8)
    ((answer,),) = HFEngine(team).generate([Request("base", (5, 6), (1,), sampling)])
    assert (answer.token_ids, answer.finish_reason) == ((100, 100, end), "eos")
    assert answer.text == team.tokenizer.decode([100, 100])


def test_system_message_and_arguments_reach_prompts_by_the_config(chatting: Path) -> None:
    settings = {"kind": "single", "model": str(chatting), "lora_rank": 2, "system": "You program."}
    config = TeamConfig(**settings, template={"chat_template": "{{ messages[0].content }}>{{ messages[1].content }}"})
    shown = make_formatter(config, SINGLE, make_team(config, SINGLE, seed=0)).render(MAIN, OBSERVATION)
    assert shown.startswith("You program.>Complete the following")
    with pytest.raises(InputError, match="takes no system message"):
        make_team(TeamConfig(**settings, template={"chat_template": "{{ messages[-1].content }}"}), SINGLE, seed=0)


def test_two_models_in_one_team_read_each_their_own_prompts() -> None:
    def policy(name: str, tokenizer: Any) -> Policy:
        return Policy(name, None, tokenizer, trainable=False)

    mine, chat = foreign.byte_level(), foreign.byte_level(vocabulary=290)
    chat.chat_template = HARMONY
    team = Team({"helper_0": policy("a", mine), MAIN: policy("b", chat)})
    config = TeamConfig(seats={"main": SeatConfig(model="another")})
    both = make_formatter(config, DUET, team)
    for agent, tokenizer, settings in (("helper_0", mine, TeamConfig()), (MAIN, chat, TeamConfig())):
        alone = PromptFormatter(tokenizer, settings.prompt, roles=DUET)
        assert both.encode(agent, OBSERVATION) == alone.encode(agent, OBSERVATION)
        assert both.render(agent, OBSERVATION) == alone.render(agent, OBSERVATION)
        assert both.stop(agent) == alone.stop(agent)
    assert (both.render("helper_0", OBSERVATION) == both.render(MAIN, OBSERVATION)) is False
