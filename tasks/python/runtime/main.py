"""The script that the engine starts: python main.py ATTEMPT_DIR [--resume]."""
import sys

here = sys.path.pop(0)
if here not in sys.path:
    sys.path.append(here)
import flowctl_attempt  # noqa: E402

flowctl_attempt.main()
