"""CodeDuet: two language models write one program together.

The four rooms of the package, each importing only from those after it:

* ``codeduet.benchmarks``: how good is a team, how fast are we?
* ``codeduet.algorithms``: how does a team learn?
* ``codeduet.agents``: who acts?
* ``codeduet.envs``: what does each agent see, how is its text read, what is the team paid?
"""

__version__ = "0.1.0"
