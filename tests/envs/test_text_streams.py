"""What is read of answers to problems whose programs read standard input: their input and output belong to them."""

from __future__ import annotations

import pytest

from codeduet.envs import HELPER, MAIN, Executor, Outcome, Problem, Program, raw_env
from codeduet.envs.problems import stub
from codeduet.envs.tests import Streams
from codeduet.envs.text import extract_helper, extract_main

PROBLEM = Problem(
    "Sum/0",
    stub("main", "Sum the numbers.", "def main():"),
    "main",
    "",
    Streams([("3\n1 2 3\n", "6\n"), ("1\n5", "5")]),
)
READ = "n = int(input())\na = list(map(int, input().split()))"
SCRIPT = f"{READ}\nprint(sum(a))"
FUNCTION = f"def solve(a):\n    return sum(a)\n\n\n{READ}\nprint(solve(a))"
SOLVE = "def solve():\n    n = int(input())\n    print(sum(map(int, input().split())))"
MAIN_FUNCTION = SOLVE.replace("solve", "main")
GUARD = "if __name__ == '__main__':\n    solve()"
CLASS = "class Sum:\n    def run(self, a):\n        return sum(a)\n\n\nn = int(input())\nprint(Sum().run(map(int, input().split())))"
WRONG = f"{READ}\nprint(n)"

SCRIPTS = {
    "reading and printing": SCRIPT,
    "a function between": FUNCTION,
    "a function that is called": f"{SOLVE}\n\n\nsolve()",
    "a guard": f"{SOLVE}\n\n\n{GUARD}",
    "a class": CLASS,
    "the target": MAIN_FUNCTION,
    "the target, called": f"{MAIN_FUNCTION}\n\n\nmain()",
    "the target, guarded": f"{MAIN_FUNCTION}\n\n\nif __name__ == '__main__':\n    main()",
    "all of the input": "import sys\n\ndata = sys.stdin.read().split()\nprint(sum(map(int, data[1:])))",
    "a reader": f"import sys\n\ninput = sys.stdin.readline\n\n{SOLVE}\n\nsolve()",
    "an iterator that functions read": "import sys\n\nwords = iter(sys.stdin.read().split())\n\ndef word():\n    return int(next(words))\n\n"
    "print(sum(word() for _ in range(word())))",
    "an exit": f"import sys\n\n{SCRIPT}\nsys.exit(0)",
    "an exit of main": f"import sys\n\n{MAIN_FUNCTION}\n\nsys.exit(main())",
    "a loop": "n = int(input())\nfor _ in range(1):\n    total = 0\n    for word in input().split():\n        total += int(word)\n    print(total)",
    "a comment like a usage's": f"# Input\n{READ}\n# Output\nprint(sum(a))",
    "example in a comment": f"def solve(a):\n    return sum(a)\n\n# Example usage\n{READ}\nprint(solve(a))",
    "a list made to print": "input()\n[print(sum(map(int, line.split()))) for line in [input()]]",
    "nothing but a call": "print(sum(map(int, __import__('sys').stdin.read().split()[1:])))",
    "a call first": "input()\na = map(int, input().split())\nprint(sum(a))",
    "brackets around names": "(n,) = map(int, input().split())\nprint(sum(map(int, input().split())))",
    "written by lines": "import sys\n\ndef main():\n    input()\n    sys.stdout.write(str(sum(map(int, input().split()))) + '\\n')\n\nmain()",
    "threads": "import sys, threading\n\ndef run():\n    input()\n    print(sum(map(int, input().split())))\n\nthreading.stack_size(1 << 20)\nsys.setrecursionlimit(10**5)\nrun()",
}


def fence(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}\n```"


ANSWERS = (
    {f"{name}, alone": code for name, code in SCRIPTS.items()}
    | {f"{name}, fenced": f"Here it is:\n{fence(code)}\nIt takes one pass." for name, code in SCRIPTS.items()}
    | {
        f"{name}, between prose": f"Here is the program:\n\n{code}\n\nIt takes one pass."
        for name, code in SCRIPTS.items()
    }
    | {
        "a draft first": f"{fence(WRONG)}\nThat is wrong. So:\n{fence(SCRIPT)}",
        "a draft first, unfenced": f"A try:\n\n{WRONG}\n\nThat prints the number. So:\n\n{SCRIPT}",
        "examples around": f"Of\n{fence('3' + chr(10) + '1 2 3', '')}\nit makes\n{fence('6', '')}\n{fence(SCRIPT)}\nRun it:\n{fence('python sum.py', 'sh')}",
        "an example behind": f"{fence(FUNCTION)}\nYou can try it:\n{fence('print(solve([1, 2]))')}\nwhich prints\n{fence('3', '')}",
        "in two blocks": f"{fence('def solve(a):' + chr(10) + '    return sum(a)')}\nThen read:\n{fence(READ + chr(10) + 'print(solve(a))')}",
        "called in another block": f"{fence(SOLVE)}\nand start it:\n{fence('solve()')}",
        "guarded in another block": f"{fence(SOLVE)}\nand start it:\n{fence(GUARD)}",
        "the target called in another block": f"{fence(MAIN_FUNCTION)}\nand start it:\n{fence('main()')}",
        "a body": "    n = int(input())\n    print(sum(map(int, input().split())))\n\n\nmain()",
        "a body, its call guarded": "    n = int(input())\n    print(sum(map(int, input().split())))\n\nif __name__ == '__main__':\n    main()",
        "the last was cut off": f"{fence(SCRIPT)}\nOr:\n```python\nn = int(input())\ntotal = sum(map(",
        "thoughts": f"<think>\n{fence(WRONG)}\n</think>\n{fence(SCRIPT)}",
        "a mistake behind": f"{fence(SCRIPT)}\nA common mistake:\n{fence(WRONG)}",
        "a turn invented behind": f"{SCRIPT.replace('print', 'def show(x):' + chr(10) + '    print(x)' + chr(10) + chr(10) + 'show')}\n\nHuman: now the number\n\nAssistant:\n{WRONG}",
        "a magic": fence(f"%%time\n{SCRIPT}"),
        "escaped": fence("n = int(input())\nif n &gt; 0:\n    print(sum(map(int, input().split())))"),
    }
)


@pytest.fixture(scope="module")
def verdicts(executor: Executor) -> dict[str, Outcome]:
    programs = [Program.of(PROBLEM, main_0=extract_main(text, PROBLEM)) for text in ANSWERS.values()]
    return dict(zip(ANSWERS, executor.judge_many(programs), strict=True))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_program_keeps_its_input_and_output(name: str, verdicts: dict[str, Outcome]) -> None:
    assert verdicts[name].solved, extract_main(ANSWERS[name], PROBLEM)


WORDS = "import sys\n\nwords = iter(sys.stdin.read().split())\n\n\ndef word():\n    return int(next(words))\n"


def test_helpers_reading_for_a_function_stays_and_its_printing_goes(executor: Executor) -> None:
    helper = f"{WORDS}\n\nprint(word())\n"
    code = extract_helper(helper, PROBLEM)
    assert code.rstrip("\n") == WORDS.rstrip("\n")
    assert executor.judge(PROBLEM, helper_code=code, main_code="print(sum(word() for _ in range(word())))").solved
    assert "stdin.read" not in extract_helper(helper)  # a function that is called with arguments has no input


def test_a_team_is_paid_for_a_program(executor: Executor) -> None:
    env = raw_env(problems=[PROBLEM], executor=executor)
    env.reset(seed=0)
    env.step(f"```python\n{WORDS}\n\nprint(word())\n```")
    env.step("```python\nprint(sum(word() for _ in range(word())))\n```")
    assert (env.infos[MAIN]["passed"], env.infos[HELPER]["passed"]) == (2, 2)
