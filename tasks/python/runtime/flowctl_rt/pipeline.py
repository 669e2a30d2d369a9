"""pipeline_task: the datasets that a Databricks pipeline's files define, kept
up to date by Spark's own declarative pipelines.

Seen with Spark 4.1.4 and Delta 4.4.0: Delta is taken as the tables' format,
being the default source; materialized views are made anew by each update;
a failed update leaves one without rows that it did not get to;
streaming tables go on from checkpoints below the storage folder; temporary
views are no tables; the graph, not the files' order, says what comes first.
There is no change data capture and there are no expectations: the former is
refused, the latter are filters around the query (pipeline_define.py).
The graph is defined through Spark Connect, of a server in the driver's own JVM:
so the tables that other tasks have made are told to it through Py4J.
"""
import contextlib
import fcntl
import os
import sys

from flowctl_rt import FlowctlUnsupported, spark_attach, spark_profile, warn
from flowctl_rt import spark as spark_names_ready

_remote = None


class PipelineFailed(RuntimeError):
    """An update ended with an error; the message names the flow."""


def spark():
    """The session that the pipeline's code has."""
    return _remote


def run(context):
    """The result line of a pipeline task."""
    global _remote
    p = context["pipeline"]
    minor = spark_profile.minor(spark_profile.home())
    if tuple(int(n) for n in minor.split(".")) < (4, 1):
        raise spark_attach.SparkUnavailable(
            "declarative pipelines are of Spark 4.1 and newer, and the task's interpreter (%s) has pyspark %s: choose one with pyspark 4.1" % (sys.executable, minor)
        )
    from flowctl_rt import spark_connect

    spark_connect.need()
    with alone(p["storage"], p["name"] or p["id"]):
        classic = spark_names_ready.session()
        catalog = _enter(p)
        _remote = spark_connect.session()
        _lead_to(_remote)
        from flowctl_rt import pipeline_patch

        pipeline_patch.install(_remote, classic)
        try:
            Update(p, catalog).run()
        finally:  # while its server is there: the client's threads wait for answers when Python ends
            with contextlib.suppress(Exception):
                _remote.stop()
    return '{"outcome":"SUCCESS"}'


@contextlib.contextmanager
def alone(storage, name):
    """One update of a pipeline at a time, as on a workspace."""
    os.makedirs(storage, mode=0o700, exist_ok=True)
    with open(os.path.join(storage, "lock"), "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineFailed("an update of the pipeline %s is running already; there is one at a time" % name) from None
        yield


def _enter(p):
    """The catalog, with the pipeline's schema made and current."""
    from flowctl_rt import spark_patch

    catalog = spark_patch.catalog
    os.makedirs(catalog.folder(p["catalog"], p["schema"]), exist_ok=True)
    catalog.schema(p["catalog"], p["schema"])
    catalog.names.catalog, catalog.names.schema = p["catalog"], p["schema"]
    return catalog


def _lead_to(remote):
    """Every way of the pipeline's code to a session leads to this one."""
    from pyspark.sql import SparkSession

    SparkSession.Builder.getOrCreate = lambda self: remote
    SparkSession.getActiveSession = SparkSession.active = staticmethod(lambda: remote)
    spark_names_ready._session = remote


class Update:
    """One update of a pipeline."""

    def __init__(self, p, catalog):
        from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
        from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

        from flowctl_rt.spark_names import folded

        self.p, self.catalog = p, catalog
        self.conf = dict(p.get("conf") or {})
        # Files are read as Auto Loader does: without a schema given beforehand.
        for key, value in dict({"spark.sql.streaming.schemaInference": "true"}, **self.conf).items():
            try:
                _remote.conf.set(key, value)
            except Exception as e:
                warn("configuration %s cannot be set here: %s" % (key, " ".join(str(e).split())[:200]))
                self.conf.pop(key, None)
        self.graph = create_dataflow_graph(
            _remote, default_catalog="spark_catalog", default_database=folded(p["catalog"], p["schema"]), sql_conf=self.conf
        )
        self.registry = SparkConnectGraphElementRegistry(_remote, self.graph)
        self.outputs = []  # the names of its tables, as their code has them
        self.sql = []  # (text, path), in order

    def run(self):
        from flowctl_rt import pipeline_define, pipeline_files, pipeline_sql

        with self.analysis(None):
            for f in self.p["files"]:
                self.sql += pipeline_files.load(f, self.p)
        texts = [(pipeline_sql.translated(text, path), path) for text, path in self.sql]
        for d in pipeline_define.definitions:
            self.register(d)
        for text, path in texts:
            self.register_sql(text, path)
        if not self.outputs:
            raise PipelineFailed("the files of the pipeline define no table: %s" % ", ".join(f["path"] for f in self.p["files"]))
        self.follow()
        for name in self.outputs:
            target = self.catalog.names.table(_parts(name))
            if target:
                self.catalog.made(*target)

    def analysis(self, flow):
        from pyspark.pipelines.add_pipeline_analysis_context import add_pipeline_analysis_context

        return add_pipeline_analysis_context(spark=_remote, dataflow_graph_id=self.graph, flow_name=flow)

    # Telling Spark what the code defines.

    def register(self, d):
        from pyspark.pipelines import output
        from pyspark.pipelines.flow import Flow
        from pyspark.pipelines.source_code_location import SourceCodeLocation

        from flowctl_rt.spark_patch import known

        where = SourceCodeLocation(filename=d.file, line_number=d.line)
        frame = self.frame(d) if d.func else None
        name = d.name if d.kind in ("view", "flow", "sink") else known(d.name)
        options = dict(d.options)
        conf = options.pop("spark_conf", None) or {}
        if d.kind == "sink":
            self.registry.register_output(output.Sink(name=name, comment=None, source_code_location=where, **options))
        elif d.kind == "view":
            self.registry.register_output(output.TemporaryView(name=name, comment=options.get("comment"), source_code_location=where))
        elif d.kind != "flow":
            self.outputs.append(d.name)
            streams = d.kind == "streaming" or d.kind == "table" and pipeline_streams(frame)
            kind = output.StreamingTable if streams else output.MaterializedView
            self.registry.register_output(kind(
                name=name, comment=options.get("comment"), source_code_location=where, table_properties=_properties(options.get("table_properties")),
                partition_cols=options.get("partition_cols"), cluster_by=options.get("cluster_by"), schema=options.get("schema"), format=options.get("format"),
            ))
        if frame is not None:
            target = name
            if d.kind == "flow":
                from flowctl_rt import pipeline_define

                sinks = [o.name for o in pipeline_define.definitions if o.kind == "sink"]
                target = d.target if d.target in sinks else known(d.target)
            self.registry.register_flow(Flow(name=name, target=target, spark_conf=conf, source_code_location=where, func=lambda: frame))

    def frame(self, d):
        """What a dataset's function returns, which describes a query and runs none."""
        from pyspark.pipelines.block_connect_access import block_spark_connect_execution_and_analysis
        from pyspark.sql.connect.dataframe import DataFrame

        from flowctl_rt import pipeline_define

        try:
            with self.analysis(d.name), block_spark_connect_execution_and_analysis():
                frame = d.func()
        except FlowctlUnsupported:
            raise
        except Exception as e:
            raise PipelineFailed("flow %s (%s:%d): %s: %s" % (d.name, d.file, d.line, type(e).__name__, " ".join(self.words(e).split()))) from e
        if not isinstance(frame, DataFrame):
            raise PipelineFailed("flow %s (%s:%d): its function returns %s; a DataFrame is expected" % (d.name, d.file, d.line, type(frame).__name__))
        rules = list(d.rules)
        if d.kind == "flow":
            rules += [r for o in pipeline_define.definitions if o.kind == "streaming" and o.name == d.target for r in o.rules]
        return pipeline_define.enforced(frame, rules)

    def register_sql(self, statements, path):
        from pathlib import Path

        for s in statements:
            self.outputs += s.outputs
            try:
                self.registry.register_sql(s.text, Path(path))
            except Exception as e:
                raise PipelineFailed("%s: %s: %s" % (path, " ".join(s.text.split())[:80], self.words(e))) from None  # its stack is Spark's own

    # Running it.

    def follow(self):
        """Run the graph, and print what happens to each flow."""
        from pyspark.pipelines.spark_connect_pipeline import start_run

        from flowctl_rt.spark_patch import known

        p, failed = self.p, []
        try:
            for event in start_run(
                _remote, self.graph, full_refresh=[] if p.get("full_refresh") else [known(n) for n in p.get("full_refresh_selection", ())],
                full_refresh_all=p.get("full_refresh", False), refresh=[] if p.get("full_refresh") else [known(n) for n in p.get("refresh_selection", ())],
                dry=False, storage="file:" + os.path.join(p["storage"], "state"),
            ):
                if "pipeline_event_result" in event:
                    text = self.catalog.names.unfold(event["pipeline_event_result"].event.message)
                    print(text)
                    if "FAILED" in text.upper():
                        failed.append(" ".join(text.split()))
        except Exception as e:
            raise PipelineFailed("; ".join(dict.fromkeys(failed[-3:] + [self.words(e)]))) from None  # its stack is Spark's own

    def words(self, error):
        """What an error says, without the server's own stack."""
        text = self.catalog.names.unfold(str(error))
        return text.partition("\n\nJVM stacktrace")[0].strip()


def _parts(name):
    from flowctl_rt.spark_names import chain_at
    from flowctl_rt.spark_tokens import tokens

    found = chain_at(tokens(name), 0)
    return found.parts if found else [name]


def _properties(properties):
    """The properties of a table but for those that tell Databricks how to run it, which Spark refuses."""
    kept = {k: str(v) for k, v in (properties or {}).items() if not k.startswith("pipelines.") or k == "pipelines.reset.allowed"}
    for k in sorted(set(properties or {}) - set(kept)):
        warn("table property %s has no effect here" % k)
    return kept


def pipeline_streams(frame):
    """Whether a query reads a stream, by its plan: asking Spark would run the analysis of a graph that is not whole yet."""
    return _streams(frame._plan.plan(_remote.client))


def _streams(message):
    for field, value in message.ListFields():
        if field.name == "is_streaming" and value is True:
            return True
        if message.DESCRIPTOR.name == "SQL" and field.name == "query":
            from flowctl_rt.spark_tokens import tokens

            if any(t.upper == "STREAM" for t in tokens(value)):
                return True
        if field.message_type is None:
            continue
        several = value if hasattr(value, "__len__") and not hasattr(value, "ListFields") else [value]
        for part in several.values() if hasattr(several, "values") else several:
            if hasattr(part, "ListFields") and _streams(part):
                return True
    return False
