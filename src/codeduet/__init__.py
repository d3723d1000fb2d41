"""CodeDuet: two language models write one program together.

The four rooms of the package, each importing only from those after it:

* ``codeduet.benchmarks``: how good is a team, how fast are we?
* ``codeduet.algorithms``: how does a team learn?
* ``codeduet.agents``: who acts?
* ``codeduet.envs``: what does each agent see, how is its text read, what is the team paid?

They stand on a ground floor that knows none of them: ``codeduet.errors``, ``codeduet.files`` (whole files, locks, rows),
``codeduet.config`` (YAML and overrides -> any dataclass), ``codeduet.interrupt`` (signals).
"""

__version__ = "0.1.0"
