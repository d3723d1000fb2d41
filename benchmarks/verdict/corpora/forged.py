"""Programs that look right without being right: none solves its task, and none may earn more than ``earns``."""

from __future__ import annotations

from codeduet.benchmarks.verdict.corpora import Case, forged_a, forged_b

CASES: tuple[Case, ...] = forged_a.CASES + forged_b.CASES
