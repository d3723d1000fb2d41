"""``python -m codeduet``."""

from codeduet.cli import main

main()
