"""Starts a program that knows no dbutils and publishes a value all the same.

Whatever language it is written in, it appends one line of JSON to the file
that FLOWCTL_EVENTS names. `flowctl value set KEY JSON` does the same.
This works on this machine only: a workspace has dbutils and nothing else.
"""
import subprocess
import sys

PROGRAM = """
import json, os
line = json.dumps({"t": "value", "key": "answer", "value": {"from": "a process", "is": 42}})
with open(os.environ["FLOWCTL_EVENTS"], "a") as f:
    f.write(line + chr(10))
"""

subprocess.run([sys.executable, "-c", PROGRAM], check=True)
