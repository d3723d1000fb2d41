"""Settings of other libraries that suit a command line, and not those who use the package as a library."""

from __future__ import annotations

import logging


def quieten() -> None:
    """Silence transformers' progress bars and advice."""
    from transformers.utils import logging as of_transformers

    of_transformers.set_verbosity_error()
    of_transformers.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # every retry of a hub that is not there
