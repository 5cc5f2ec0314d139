"""Benchmarks beside the alternatives: one command each, results as files with how they were got.

A module here that defines ``main()`` and a docstring is a benchmark: ``python -m benchmarks NAME``
runs it in a process of its own with the remaining options in ``sys.argv``. Each understands
``--quick`` (a small run that only shows that it works, and leaves the published results alone) and
returns nothing or an exit status. A module-level ``BY_NAME_ONLY = True`` keeps one out of the run
of everything.
"""
