"""The embedded problem set: its file is what its generator writes, its solutions are right, and nothing of it is seen."""

from __future__ import annotations

import json
import random
from collections import Counter

from codeduet.benchmarks.embedded.corpus import benchmark_grams, word_grams
from codeduet.benchmarks.embedded.pipelines import DEPTHS, documents, draw_distinct
from codeduet.benchmarks.embedded.problem_set import COUNT, embedded_pipelines, rows
from codeduet.envs import Executor, Program, load_problems
from codeduet.envs.problems import EMBEDDED_FILE, read_rows

PROBLEMS = load_problems("embedded")


def test_the_file_is_what_the_generator_writes() -> None:
    assert read_rows(EMBEDDED_FILE) == json.loads(json.dumps(rows()))


def test_it_is_split_like_humaneval_and_large_enough_to_test_on() -> None:
    assert len(PROBLEMS) == COUNT >= 1000
    assert len(load_problems("embedded", "test")) >= 240
    depths = Counter(len(pipeline.steps) + 1 for pipeline, _ in embedded_pipelines())
    assert set(depths) == set(DEPTHS)
    assert max(depths.values()) - min(depths.values()) <= 1


def test_no_two_problems_are_the_same_and_no_document_is_about_one() -> None:
    taken = [pipeline.instance for pipeline, _ in embedded_pipelines()]
    assert len(set(taken)) == len(taken)
    seen = [written.pipeline.instance for written in documents(2, 3000, frozenset(taken))]
    assert set(seen).isdisjoint(taken)
    # Without the check some would be: the test can fail.
    open_ones = {written.pipeline.instance for written in documents(2, 3000)}
    (short,) = random.Random(0).sample(sorted(open_ones), 1)
    assert short not in {written.pipeline.instance for written in documents(2, 3000, frozenset({short}))}


def test_it_shares_no_ten_words_with_humaneval() -> None:
    grams = benchmark_grams()
    shared = [p.task_id for p in PROBLEMS if not grams.isdisjoint(word_grams(p.prompt + p.canonical_solution))]
    assert shared == []


def test_every_reference_is_solved_and_every_step_is_needed() -> None:
    some = PROBLEMS[::5]
    with Executor() as executor:
        outcomes = list(executor.judge_many(Program.of(p, main_0=p.reference) for p in some))
        assert all(outcome.solved for outcome in outcomes)
        cut = []
        for problem in some:
            lines = problem.canonical_solution.splitlines(keepends=True)
            cut += [
                Program.of(problem, main_0=problem.signature + "".join(lines[:i] + lines[i + 1 :]))
                for i in range(len(lines) - 1)
            ]
        assert not any(outcome.solved for outcome in executor.judge_many(cut))


def test_drawing_follows_from_the_seed() -> None:
    assert draw_distinct(random.Random(5), 8, DEPTHS) == draw_distinct(random.Random(5), 8, DEPTHS)
