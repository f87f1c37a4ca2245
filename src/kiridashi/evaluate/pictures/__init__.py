"""Compare methods on a user's own pictures: same shots for all, every other picture measured.

What others build on:

    source = FewShotSet(folder)                     # any `PictureSet`; `together(source)` joins its classes
    plan = Plan(source, {"prototype": make, ...}, shots=(1, 5), seeds=(0, 1, 2))
    lines = list(measure(plan))                     # or line by line; `known=` skips what is there
    rows = summarise(lines, list(plan.methods))     # figures with 95 % intervals

- A maker is a function from a seed to an unfitted method (`fit(references, negatives)`, `predict(picture)`).
- `Line`: one picture, one method: figures, verdict, seconds, memory, or why there is no result. Its `key` is
  (set, label, shots, seed, picture, view, method).
- `Plan.views`: named changes of the measured pictures (never of the shots), for robustness: a method learns
  once and answers each picture in every view. The view `""` is the picture as it is; `summarise` takes the
  lines of one view.
- `Row`: one class (or the mean over classes), number of shots and method; each figure an `Interval`, and
  `lead`, the paired difference to the first method, with its `Standing`.
- `tags`: conditions of pictures from a table, and figures by condition. `costs`: what false alarms and
  misses cost a picture, with the threshold chosen by cross-validation, and that of the oracle.

A shot is never measured, at any number of shots of its seed: figures of 1, 5 and 10 shots are of the same
pictures. More shots, seeds, methods or pictures only add lines.
"""

from kiridashi.evaluate.pictures.lines import Key, Line
from kiridashi.evaluate.pictures.measuring import Plan, measure
from kiridashi.evaluate.pictures.sets import PictureSet, leave_out, together
from kiridashi.evaluate.pictures.summary import ALL, Row, summarise

__all__ = ["ALL", "Key", "Line", "PictureSet", "Plan", "Row", "leave_out", "measure", "summarise", "together"]
