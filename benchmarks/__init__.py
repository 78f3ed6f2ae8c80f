"""What is measured, against what, and how: `nox -s bench`.

Every figure stands beside a yardstick that was measured in the same run, in turns with it, and what counts is their
ratio: a machine that is busy, or slow, is so for both. `rows.py` is the table: what is measured, in which unit, and
what is aimed at. A module of `groups` measures each group of rows, on the programs that `programs.py` starts, with the
load that `load` makes in a process of its own. `results.py` is what comes out, which `report.py` writes as Markdown
and `plots.py` as pictures.
"""
