"""The older name of pyspark.pipelines, for the code of pipelines."""
from pyspark.pipelines import *  # noqa: F401,F403
from pyspark.pipelines import __all__  # noqa: F401
