"""How fast a team generates and learns on this machine, beside what the machine can do.

``ceilings`` measures the machine, ``generation`` and ``learner`` the two halves of a step, ``parity`` compares two devices,
``training`` takes whole steps; ``python -m codeduet.benchmarks.speed`` does all of it and writes one file.
"""
