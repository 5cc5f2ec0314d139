"""``python -m discern.cli``: the same as the ``discern`` command."""

from discern.cli import main

main()
