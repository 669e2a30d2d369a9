"""What is different about Spark Connect's classes here: three-level names,
Databricks' paths, and the cloudFiles format. The schemas of files are asked
for through the attempt's own session, since a dataset's function may not."""
from flowctl_rt import spark_paths
from flowctl_rt.spark_patch import _option, _options, _path_first, known
from flowctl_rt.wrapping import wrap

_classic = None


def install(remote, classic):
    """Change Spark Connect's classes; done once in a process."""
    global _classic
    from pyspark.sql.connect.readwriter import DataFrameReader
    from pyspark.sql.connect.streaming.readwriter import DataStreamReader

    _classic = classic
    for cls in (DataFrameReader, DataStreamReader):
        for name in ("load", "csv", "json", "parquet", "orc", "text", "xml"):
            wrap(cls, name, _path_first)
        wrap(cls, "option", _option)
        wrap(cls, "options", _options)
        wrap(cls, "table", _table)
    wrap(DataStreamReader, "format", _format)
    wrap(DataStreamReader, "option", _cloud_option)
    wrap(DataStreamReader, "load", _cloud_load)
    wrap(type(remote), "table", _table)
    wrap(type(remote), "sql", _sql)


def live(name):
    """A name without the LIVE that older pipelines put before those of their own datasets."""
    return name[5:] if name[:5].upper() == "LIVE." else name


def _table(real, self, name):
    return real(self, known(live(name)))


def _sql(real, self, sqlQuery, args=None, **kwargs):
    from flowctl_rt import pipeline_sql

    return real(self, pipeline_sql.folded(sqlQuery, args if isinstance(args, dict) else None), args, **kwargs)


def _format(real, self, source):
    self._flowctl_cloud = {} if source.lower() == "cloudfiles" else None
    return self if source.lower() == "cloudfiles" else real(self, source)


def _cloud_option(real, self, key, value):
    if getattr(self, "_flowctl_cloud", None) is None or not key.lower().startswith("cloudfiles."):
        return real(self, key, value)
    word = key.lower()[len("cloudfiles."):]
    self._flowctl_cloud[word] = str(value)
    if word == "maxfilespertrigger":
        real(self, "maxFilesPerTrigger", value)
    elif word == "infercolumntypes" and str(value).lower() == "true":
        real(self, "inferSchema", "true")
    return self


def _cloud_load(real, self, path=None, *args, **kwargs):
    cloud = getattr(self, "_flowctl_cloud", None)
    if cloud is None:
        return real(self, path, *args, **kwargs)
    if not cloud.get("format"):
        raise ValueError("cloudFiles: the option cloudFiles.format says which files to read, for example json; it is missing")
    kind, self._flowctl_cloud = cloud["format"].lower(), None
    self.format(kind)
    if kind == "csv" and "header" not in self._options:
        self.option("header", "true")
    path = spark_paths.every(path)
    if not self._schema:
        self.schema(schema_of(kind, self._options, path, cloud.get("schemahints"), kind in ("csv", "json", "parquet", "orc", "avro")))
    return real(self, path, *args, **kwargs)


def schema_of(kind, options, path, hints=None, rescued=False):
    """The columns of files as they are now."""
    from pyspark.sql.types import StringType, StructField, StructType, _parse_datatype_json_string

    options = {k: v for k, v in options.items() if k.lower() not in ("maxfilespertrigger", "path")}
    found = _classic.read.format(kind).options(**options).load(path).schema
    fields = {f.name: f for f in found.fields}
    if hints:
        jvm = _classic._sc._jvm
        for f in _parse_datatype_json_string(jvm.org.apache.spark.sql.types.StructType.fromDDL(hints).json()).fields:
            fields[f.name] = f
    if rescued and "_rescued_data" not in fields:
        fields["_rescued_data"] = StructField("_rescued_data", StringType())
    return StructType(list(fields.values()))
