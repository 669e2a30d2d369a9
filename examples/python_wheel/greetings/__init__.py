"""A package with two entry points, each what a python_wheel_task calls."""
import argparse
import sys


def greet():
    """Positional parameters arrive as sys.argv[1:]."""
    print("hello " + " and ".join(sys.argv[1:]))
    _publish("greeted", len(sys.argv) - 1)


def farewell():
    """Named parameters arrive as --name=value, job parameters among them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--greeted", type=int, required=True)
    parser.add_argument("--language", default="en")
    given = parser.parse_args()
    print({"en": "goodbye %s (%d greeted)", "de": "auf Wiedersehen %s (%d)"}[given.language] % (given.name, given.greeted))


def _publish(key, value):
    try:
        from databricks.sdk.runtime import dbutils
    except ImportError:  # no databricks-sdk in this Python: take dbutils from where the SDK takes it
        from dbruntime import UserNamespaceInitializer

        dbutils = UserNamespaceInitializer.getOrCreate().get_namespace_globals()["dbutils"]
    dbutils.jobs.taskValues.set(key, value)
