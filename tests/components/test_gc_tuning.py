"""The garbage collector of a worker process."""

import subprocess
import sys


def test_what_was_there_is_left_alone_and_what_comes_later_is_collected():
    script = """
import gc, weakref
from stork_node.gc_tuning import freeze_startup_objects

class Thing: pass

freeze_startup_objects()
frozen = gc.get_freeze_count()
later = Thing()
later.self = later
seen = weakref.ref(later)
del later
freeze_startup_objects()
print(frozen > 1000, gc.get_freeze_count() == frozen, gc.get_threshold(), seen() is not None, gc.collect() > 0, seen())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "True True (10000, 10, 10) True True None\n", done.stderr
