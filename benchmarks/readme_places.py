"""What stands in README's places: tables and sentences made of the files in ``benchmarks/results``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from codeduet.benchmarks.paper_table import PAPER, TITLES, comparisons, interval_cell, pairs
from codeduet.benchmarks.readme_cells import markdown_table, per_cent, with_interval
from codeduet.benchmarks.report import reward_gain


def _all_k(row: Mapping[str, Any]) -> str:
    return " / ".join(map(per_cent, row["pass@k"].values()))


def _ks(row: Mapping[str, Any]) -> str:
    return "pass@" + " / ".join(row["pass@k"]) + " in %"


# The embedded problems.


def first(*seeds: dict[str, Any]) -> str:
    """Say whether one model or the team is better at equal budget, in every seed's figures."""
    differences = [of_seed["pass@1 differences"]["magrpo - grpo_team_budget"] for of_seed in seeds]
    if all(difference["high"] < 0 for difference in differences):
        words = "one trained model is better than the trained team"
    elif all(difference["low"] > 0 for difference in differences):
        words = "the trained team is better than one trained model"
    else:
        words = "one trained model and the trained team are not told apart in every seed"
    rows = seeds[0]["rows"]
    single, team = rows["grpo_team_budget"], rows["magrpo"]
    program = single["tokens an answer"] * single["answers a program"]
    learnt = f"{team['training']['tokens'] / 1e6:.1f} million generated tokens of training"

    def over_seeds(name: str) -> str:
        return " / ".join(per_cent(of_seed["rows"][name]["pass@k"]["1"]) for of_seed in seeds)

    def greedy(name: str) -> str:
        values = [per_cent(of_seed["rows"][name]["greedy"]) for of_seed in seeds]
        return " / ".join(
            values if rows[name]["training"] else values[:1]
        )  # untrained nothing is drawn: one measurement

    return (
        f"At equal budget {words}: with at most {program} tokens a program and {learnt}, GRPO (one answer of "
        f"{single['tokens an answer']} tokens) solves {over_seeds('grpo_team_budget')} % of the embedded problems at pass@1 "
        f"with seeds {' / '.join(str(of_seed['seed']) for of_seed in seeds)}, and MAGRPO (two answers of "
        f"{team['tokens an answer']}) {over_seeds('magrpo')} %. Untrained, one model solves "
        f"{over_seeds('single_team_budget')} %, and two {over_seeds('multi_agent')} %. Greedy, one untrained model solves "
        f"{greedy('single_team_budget')} %, GRPO's {greedy('grpo_team_budget')} % and MAGRPO's two {greedy('magrpo')} %."
    )


def comparison(capped: bool, *seeds: dict[str, Any]) -> str:
    """Return the table of one comparison: a row for each row, a column for each seed, and the paired differences."""
    (made,) = [made for made in comparisons(seeds[0]) if made.capped == capped]
    head = [_ks(seeds[0]["rows"]["magrpo"]), "tokens: training", "evaluation"]
    lines: list[list[str]] = []
    for name in made.names:
        of_seeds = [of_seed["rows"][name] for of_seed in seeds]
        trained = [of_seed["training"]["tokens"] if of_seed["training"] else 0 for of_seed in of_seeds]
        used = [sum(of_seed["generated tokens at evaluation"].values()) for of_seed in of_seeds]
        cells = [of_seeds[0]["title"], _thousands(trained), _thousands(used)]
        lines.append([*cells, *map(_all_k, of_seeds)])
    for a, b in pairs(dict.fromkeys(made.names)):
        for k in ("1", "10"):
            told = [interval_cell(of_seed[f"pass@{k} differences"][f"{a} - {b}"], sign="+") for of_seed in seeds]
            name = f"{TITLES[seeds[0]['rows'][a]['system']]} less {TITLES[seeds[0]['rows'][b]['system']]}, pass@{k}"
            lines.append([name, "", "", *told])
    for name in made.names:
        greedy = [per_cent(of_seed["rows"][name]["greedy"]) for of_seed in seeds]
        lines.append([f"{TITLES[seeds[0]['rows'][name]['system']]}, greedy pass@1", "", "", *greedy])
    table = markdown_table([*head, *(f"seed {of_seed['seed']}" for of_seed in seeds)], lines)
    return (
        f"**{made.title}.** {seeds[0]['test problems']} test problems, n = {seeds[0]['n']}, temperature "
        f"{seeds[0]['temperature']}, greedy rows of untrained models are one measurement, intervals "
        f"of 95 %, paired by problem; thousands of generated tokens:\n\n{table}"
    )


def _thousands(counts: Sequence[int]) -> str:
    low, high = round(min(counts) / 1000), round(max(counts) / 1000)
    return f"{low}" if low == high else f"{low} - {high}"


def ablations(results: dict[str, Any]) -> str:
    first = next(iter(results.values()))
    head = ["", _ks(first), "pass@1 less MAGRPO's", "helper called, %", "gain in reward by helper's code"]
    rows = [
        [
            row["title"],
            _all_k(row),
            interval_cell(row["pass@1 less MAGRPO's"], sign="+"),
            per_cent(row["rates"]["helper_called"]),
            f"{row['rates']['helper_gain']['mean']:+.3f}",
        ]
        for row in results.values()
    ]
    title = f"**Is it coordination? Ablations at {first['tokens an answer']} tokens an answer** (`codeduet ablate`, seed 0):"
    return f"{title}\n\n{markdown_table(head, rows)}"


def checker(record: dict[str, Any]) -> str:
    different = record["problems with other counts"]
    where = f"on all but {different} problems" if different else "on every problem"
    return (
        f"OpenAI's checker, run on all {record['samples']:,} saved samples of seed 0, of the ablations too, counts the same {where} (`python "
        "-m codeduet.benchmarks.verdict.saved runs/reproduce-embedded-sound-seed0 --out FILE`)."
    )


# Real problems.


def quickstart(before: dict[str, Any], after: dict[str, Any], metrics: list[dict[str, Any]]) -> str:
    rates = {"syntax": "syntactically valid, %", "runnable": "runnable, %", "tests": "tests passed, %"}
    lines = [["reward (magrpo)", *(with_interval(of["rates"]["reward"], 1, 3) for of in (before, after))]]
    lines += [[words, *(with_interval(of["rates"][name]) for of in (before, after))] for name, words in rates.items()]
    helper = [
        f"{per_cent(of['rates']['helper_nonempty'])} / {per_cent(of['rates']['helper_called'])}"
        for of in (before, after)
    ]
    lines.append(["helper non-empty / called by main, %", *helper])
    gains = [with_interval(of["rates"]["helper_gain"], 1, 3) for of in (before, after)]
    lines.append(["gain in reward by helper's code", *gains])
    lines.append([_ks(before), *map(_all_k, (before, after))])
    gain = reward_gain(metrics)
    return (
        f"{markdown_table(['', 'before', 'after'], lines)}\n\nMean reward of the last tenth of training less the first: "
        f"{gain.mean:+.3f} ({gain.low:.3f} to {gain.high:.3f})."
    )


def paper() -> str:
    rows = [[TITLES[system], *map(str, figures.values())] for system, figures in PAPER.items()]
    return markdown_table(["pass@k in %", *map(str, PAPER["single"])], rows)


def architectures(record: dict[str, Any]) -> str:
    """Return which kinds are computed in which way, and how far sampler and learner are from the model at most."""
    names = [f"{who}_{when}" for who in ("sampler", "learner") for when in ("before", "trained", "resumed")]
    found = [row for row in record["rows"] if "refused" not in row]
    refused = {row["kind"]: row["refused"] for row in record["rows"] if "refused" in row}
    ways: dict[str, dict[str, None]] = {}
    for row in found:
        ways.setdefault(row["paths"], {})[row["kind"]] = None
    kinds = {row["kind"] for row in found}
    most = max(row[name] for row in found for name in names)
    slow = max(row["changed_by_speed"] for row in found)
    table = markdown_table(["a model of this kind", ""], [[path, ", ".join(of)] for path, of in ways.items()])
    return (
        f"{table}\n\n{len(kinds)} kinds, with adapters and whole, {len(refused)} refused"
        + "".join(f"; {kind}: {reason}" for kind, reason in refused.items())
        + f". Sampled and learnt log-probabilities, before training, after it and resumed, differ from the model's own forward "
        f"pass on a sequence alone by {most:.1g} nats at most (float32), and by {slow:.1g} from the same with prompts repeated, no "
        "cache, PEFT's own adapters, plain products and attention."
    )


# The verdict, and speed.


_COMPARED = {
    "mutants": "mutants",
    "variants": "programs with other imports, annotations, decorators or classes",
    "in place": "programs that change an argument in place, under tests that look again",
    "prompts": "programs behind decorated, differently indented or future prompts",
}


def verdict(
    forgery: dict[str, Any], agreement: dict[str, Any], cost: dict[str, Any], same: dict[str, Any], soak: dict[str, Any]
) -> str:
    cheats, canonical = forgery["all"], agreement["canonical"]["counts"]
    small, large = cost["small caller"], cost["caller of 2 GB"]

    def speeds(of: Mapping[str, Any]) -> list[str]:
        theirs = f"{of['checker_programs_per_s']:.{1 if of['checker_programs_per_s'] < 10 else 0}f}"
        ratio = f"{of['ratio']:.{1 if of['ratio'] < 10 else 0}f}"
        return [f"{of['programs_per_s']:.0f}", f"{theirs} (ratio {ratio})"]

    def others(name: str) -> str:
        """How many, and what explains them."""
        found = agreement[name]["differences"]
        kinds = sorted({difference["explanation"].split(":")[0] for difference in found})
        return f"{len(found)}" + (f" ({', '.join(kinds)})" if kinds else "")

    loops = cost["loops"]
    share = f"{100 * loops['looping'] / loops['programs']:.0f} %"
    theirs_canonical = canonical["both passed"] + canonical["different"]
    rows = [
        [
            f"forged programs judged as passing, of {cheats['programs']} on {forgery['tasks']} tasks",
            str(cheats["passed"]),
            str(cheats["checker_passed"]),
            "`make forgery`",
        ],
        [
            f"{canonical['programs']} canonical solutions judged as passing",
            str(canonical["both passed"]),
            str(theirs_canonical),
            "`make agreement`",
        ],
        *(
            [
                f"{agreement[name]['counts']['programs']:,} {what}: other verdict than the checker's",
                others(name),
                "",
                "`make agreement`",
            ]
            for name, what in _COMPARED.items()
        ),
        ["programs/s, two at a time", *speeds(small), "`make cost`"],
        ["programs/s, from a caller of 2 GB", *speeds(large), "`make cost`"],
        [
            f"processor time a program (bare execution: {cost['floor_ms']:.1f} ms)",
            f"{small['cpu_ms']:.1f} ms",
            "",
            "`make cost`",
        ],
        [
            f"programs/s with {share} endless loops, over the best possible",
            f"{loops['share']:.2f}",
            "",
            "`make cost`",
        ],
        [
            f"{same['passes']} passes over {same['programs']} programs beside busy neighbours: outcomes that differ",
            str(len(same["different"])),
            "",
            "`make determinism`",
        ],
        [
            f"{soak['programs']:,} programs, some hostile, {soak['killed']} workers killed: wrong, lost or left over",
            str(len(soak["wrong or lost"]) + len(soak["effects outside"]) + len(soak["processes left"])),
            "",
            "`make soak`",
        ],
    ]
    why = sorted({found["explanation"] for name in _COMPARED for found in agreement[name]["differences"]})
    return (
        markdown_table(["", "ours", "OpenAI's checker", ""], rows)
        + f"\n\nWhat explains the differences: {'; '.join(why)}."
    )


def gpu_speed(made: dict[str, Any], trained: dict[str, Any]) -> str:
    stated = f"{made['device']['device']}, {made['device']['stated_tflops']:.0f} TFLOP/s stated"
    apart = max(made["parity"][name] for name in _PARITY)
    training = trained["training"]
    return (
        f"{_rates(made, stated)}\n\nLog-probabilities of CPU and GPU, and of sampler and learner, differ by {apart:.0e} nats at most "
        f"(float32). A MAGRPO step of 8 problems of 16 episodes, 400 tokens an answer: {training['seconds']['rollout']:.1f} s of rollout, "
        f"{training['seconds']['learn']:.1f} s of learning, {training['peak_gib']:.1f} GiB at the peak where the plan said "
        f"{training['plan_gib']:.1f}."
    )


def cpu_speed(made: dict[str, Any]) -> str:
    device = made["device"]
    measured = (
        f"{device['device']}, {1000 * device['gemm_tflops']:.0f} GFLOP/s and {device['copy_gb_s']:.0f} GB/s measured"
    )
    return _rates(made, measured)


def _rates(made: dict[str, Any], device: str) -> str:
    rows = [
        [
            f"write {row['rows']} answers of {row['new_tokens']} tokens" + ("" if row["adapters"] else ", no adapter"),
            f"{row['tokens_per_second']:,.0f}",
            f"{100 * row['share_of_bound']:.0f} % of what memory and products allow",
        ]
        for row in made["generation"]
    ]
    rows += [
        [
            f"learn, micro-batches of {min(row['micro_batch_tokens'], row['tokens']):,} tokens"
            + (", layers computed again" if row["recompute"] else ""),
            f"{row['tokens_per_second']:,.0f}",
            (
                f"{100 * row['model_flop_utilisation']:.1f} % of the stated rate"
                if row["model_flop_utilisation"]
                else f"{100 * row['share_of_gemm']:.0f} % of the rate of products"
            )
            + f", {row['peak_memory_mib'] / 1024:.1f} GiB",
        ]
        for row in made["learner"]
    ]
    return markdown_table([f"{made['model']}, adapters of rank 16, {device}", "tokens/s", ""], rows)


_PARITY = ("largest_difference_nats", "sampler_and_learner_nats")


def examples(counts: dict[str, Any]) -> str:
    rows = [
        ("problems whose prompt shows examples that the reference passes", counts["with examples"], counts["problems"]),
        ("examples shown that the reference contradicts", counts["contradicted"], None),
        ("hidden calls that repeat an example's arguments", counts["repeated"], counts["hidden calls"]),
    ]
    told = [(what, f"{number:,}" + (f" of {whole:,}" if whole else "")) for what, number, whole in rows]
    return markdown_table(["HumanEval (`python -m codeduet.benchmarks.verdict.examples --out FILE`)", ""], told)


def speed(
    step: dict[str, Any],
    generation: dict[str, Any],
    small: dict[str, Any],
    large: dict[str, Any],
    checkouts: list[dict[str, Any]],
) -> str:
    rates = {
        row["load"][0] * row["load"][1]: f"{row['now']['tokens_per_second']:.0f}"
        for row in checkouts
        if row.get("adapters")
    }
    learnt = next(row["now"]["tokens_per_second"] for row in checkouts if row["what"] == "learn")
    ratios = [of["theirs_s"] / of["ours_s"] for of in step["rounds"]]
    return (
        "**One MAGRPO step** beside CoMLRL 1.4.3's (2 agents, G = 4, hidden 64, 2 layers, vocabulary 32,768, 138-token "
        f"prompt, 128 new tokens, one thread): {step['ratio']:.1f} times as fast, the median of {len(ratios)} interleaved "
        f"rounds between {min(ratios):.1f} and {max(ratios):.1f} (`python -m codeduet.benchmarks.magrpo_step --against "
        f"COMMAND`). **A generation phase through vLLM** ({generation['completions']} completions, two adapters, CPU) takes "
        f"{generation['ratio']:.2f} times plain `LLM.generate` on the same requests, the median of {generation['rounds']} "
        "(`python -m codeduet.benchmarks.vllm_generation`). **One GRPO step** beside TRL 1.16's (Qwen2.5-Coder-0.5B, adapters of "
        f"rank 16, bfloat16, answers of 128 tokens, two threads): {_beside(small)} with 2 problems x 4 answers and {_beside(large)} with "
        f"8 x 4, medians of {len(small['rounds'])} interleaved rounds (`python -m codeduet.benchmarks.grpo_step --against COMMAND`). On "
        f"those two cores that model writes {rates[16]} tokens a second in 16 rows and {rates[64]} in 64, prompts of 250 tokens included, "
        f"and learns from {learnt:.0f} (`python -m codeduet.benchmarks.speed.checkouts --model FOLDER --other SRC --out FILE`, beside "
        "another commit)."
    )


def _beside(step: dict[str, Any]) -> str:
    ours, theirs = (
        statistics.median(of[whose] for of in step["rounds"]) / 1024 for whose in ("ours_mib", "theirs_mib")
    )
    return f"{step['ratio']:.1f} times as fast in {ours:.1f} GiB where TRL takes {theirs:.1f}"


def losses(beside: dict[str, Any], noise: dict[str, Any]) -> str:
    apart = max(of[what] for of in beside["differences"].values() for what in ("loss", "gradient"))
    told = ", ".join(f"{credit} {value:.1f}" for credit, value in noise["noise over signal"].items())
    return (
        f"**Losses.** Value and gradient of {len(beside['differences'])} losses differ from TRL {beside['trl']}'s on the same tensors by "
        f"{apart:.0e} at most (`python -m codeduet.benchmarks.trl_losses --against COMMAND --out FILE`). In the probe game where one "
        f"of two agents spoils the reward, the noise of the other's gradient over its signal is, by credit: {told} (`python -m "
        "codeduet.benchmarks.probes.variance --out FILE`)."
    )
