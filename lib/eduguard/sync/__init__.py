"""Make student_faces agree with a collection: list, plan, show, judge, apply, plan again.

`run` does it. `plan_sync` makes the plan from pairs of rows and faces, and writes nothing.
"""

from eduguard.sync.comparison import Scope, count_place, read_keys, read_rows, read_students
from eduguard.sync.plan import FaceRow, Plan, pair_up, plan_sync
from eduguard.sync.run import Options, Outcome, run
from eduguard.sync.switch import switch_collection

__all__ = [
    "FaceRow",
    "Options",
    "Outcome",
    "Plan",
    "Scope",
    "count_place",
    "pair_up",
    "plan_sync",
    "read_keys",
    "read_rows",
    "read_students",
    "run",
    "switch_collection",
]
