"""Make student_faces agree with a collection: list, plan, show, judge, apply, plan again.

`run` does it. `plan_sync` makes the plan from pairs of rows and faces, and writes nothing.
"""

from eduguard.sync.comparison import count_place, read_rows
from eduguard.sync.plan import FaceRow, Plan, pair_up, plan_sync
from eduguard.sync.run import Options, Outcome, run

__all__ = ["FaceRow", "Options", "Outcome", "Plan", "count_place", "pair_up", "plan_sync", "read_rows", "run"]
