"""A command does not run a final garbage collection when it ends."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from eduguard.commands.executor import tune_interpreter

class Cycle:
    def __init__(self): self.me = self
    def __del__(self): print('found')

if sys.argv[1] == 'relaxed':
    tune_interpreter()
Cycle()
"""


@pytest.mark.parametrize(("mode", "output"), [("relaxed", ""), ("plain", "found\n")])
def test_nothing_is_looked_for_at_the_end(mode: str, output: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, mode], capture_output=True, text=True, check=True)
    assert done.stdout == output
