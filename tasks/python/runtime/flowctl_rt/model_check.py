"""Whether this interpreter has what a model asks for: python model_check.py REQUIREMENTS.

Ends with 0 if so; else the first line that is not met is written.
"""
import re
import sys
from importlib import metadata


def unmet(line):
    """Why a requirement is not met; None: it is."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return "packaging is not installed"
    try:
        wanted = Requirement(line)
    except ValueError:
        return "%s cannot be compared" % line
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    if wanted.url:
        return "%s cannot be compared" % line
    try:
        have = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "%s is not installed" % wanted.name
    if not wanted.specifier.contains(have, prereleases=True):
        return "%s is %s, not %s" % (wanted.name, have, wanted.specifier)
    return None


def main(path):
    try:
        with open(path, encoding="utf-8") as f:
            lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in f]
    except FileNotFoundError:
        lines = []
    for line in [line for line in lines if line] + ["mlflow-skinny"]:  # what mlflow itself brings
        why = unmet(line)
        if why:
            print(why)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
