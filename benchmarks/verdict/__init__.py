"""Is the verdict right, and what does it cost?

Each module is a command (``python -m codeduet.benchmarks.verdict.NAME``): ``agreement`` with OpenAI's checker on
canonical solutions and mutants of them, ``forgery`` beside OpenAI's checker on programs that cheat, ``cost`` of a
program, ``determinism`` with busy neighbours, ``soak`` over a hundred thousand programs. ``corpora`` holds the programs.
"""
