"""What Py4J asks of each argument of each call into the driver.

PySpark's own converters look for NumPy's values, and import its test tools for
that, and with them pandas and Arrow: half a second of each task that uses Spark.
What was not imported made no value, so that it need not be imported to see.
Seen in pyspark 4.0 and 4.1; 3.5 imports NumPy alone.
"""
import sys


def install():
    """Let the converters answer without an import."""
    from pyspark.sql import types

    for name, answer in (("NumpyScalarConverter", _is_scalar), ("NumpyArrayConverter", _is_row)):
        cls = getattr(types, name, None)
        if cls is not None:
            cls.can_convert = answer


def _is_scalar(self, obj):
    return isinstance(obj, _numpy("generic"))


def _is_row(self, obj):
    return isinstance(obj, _numpy("ndarray")) and obj.ndim == 1


def _numpy(name):
    return getattr(sys.modules.get("numpy"), name, ())
