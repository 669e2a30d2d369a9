"""Auto Loader's cloudFiles format: Spark's own file stream of the same files.

What is new is found by Spark's list of the files it has seen, which the
checkpoint keeps; the rescued data column is there and empty.
"""
from flowctl_rt import spark_paths


def install(reader):
    from flowctl_rt.wrapping import wrap

    wrap(reader, "format", _format)
    wrap(reader, "option", _option)
    wrap(reader, "load", _load)


def _format(real, self, source):
    if source.lower() == "cloudfiles":
        self._flowctl_cloud = {"format": None, "schema": False}
        return self
    return real(self, source)


def _option(real, self, key, value):
    cloud = getattr(self, "_flowctl_cloud", None)
    if cloud is None or not key.lower().startswith("cloudfiles."):
        return real(self, key, value)
    word = key.lower()[len("cloudfiles."):]
    if word == "format":
        cloud["format"] = value
        type(self).format(self, value)
    elif word == "schemahints":
        cloud["hints"] = value
    elif word == "maxfilespertrigger":
        real(self, "maxFilesPerTrigger", value)
    elif word == "infercolumntypes" and str(value).lower() == "true":
        real(self, "inferSchema", "true")
    return self


def _load(real, self, path=None, *args, **kwargs):
    cloud = getattr(self, "_flowctl_cloud", None)
    if cloud is None:
        return real(self, path, *args, **kwargs)
    from pyspark.errors import PySparkValueError
    from pyspark.sql import functions

    if not cloud["format"]:
        raise PySparkValueError("cloudFiles: the option cloudFiles.format says which files to read, for example json; it is missing")
    if cloud["format"].lower() in ("csv", "json"):
        type(self).option(self, "header", "true") if cloud["format"].lower() == "csv" else None
    (getattr(self, "_spark", None) or self._client).conf.set("spark.sql.streaming.schemaInference", "true")
    frame = real(self, spark_paths.every(path) if path else path, *args, **kwargs)
    for hint in [h for h in (cloud.get("hints") or "").split(",") if h.strip()]:
        name, _, kind = hint.strip().partition(" ")
        frame = frame.withColumn(name, functions.col(name).cast(kind.strip()) if name in frame.columns else functions.lit(None).cast(kind.strip()))
    if "_rescued_data" not in frame.columns:
        frame = frame.withColumn("_rescued_data", functions.lit(None).cast("string"))
    return frame
