"""The parts of reading an answer, for :mod:`codeduet.envs.text`: marks and fences, lines of Python, usage, bodies."""
