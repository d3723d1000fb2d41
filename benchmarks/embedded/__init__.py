"""How the embedded model and the embedded problem set are made; in the repository and not in the wheel.

``python -m codeduet.benchmarks.embedded.pretrain --out DIR`` makes the model (``make pretrain``),
``python -m codeduet.benchmarks.embedded.problem_set`` the problems.
"""
