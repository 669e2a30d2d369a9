"""What the code of a pipeline defines: pyspark.pipelines and dlt as Databricks has them.

Definitions are gathered while the files run, and registered with Spark after
the last one, so that expectations may stand above or below the dataset's own
decorator, and what a table is can be seen from what its function returns.
"""
import sys

from flowctl_rt import FlowctlUnsupported, warn

definitions = []  # in the order of the code


class Definition:
    """One dataset, target or flow. kind: table, view, mv, streaming (a target without a query), flow or sink."""

    def __init__(self, kind, name, func=None, options=None, target=None):
        self.kind, self.name, self.func, self.options, self.target = kind, name, func, options or {}, target
        self.rules = []
        frame = sys._getframe(1)
        while frame.f_globals.get("__name__", "").startswith("flowctl_rt") and frame.f_back is not None:
            frame = frame.f_back
        self.file, self.line = frame.f_code.co_filename, frame.f_lineno
        definitions.append(self)


# Options of Databricks' tables that Spark's own take too.
_TAKEN = ("comment", "spark_conf", "table_properties", "partition_cols", "cluster_by", "schema", "format")
# Those that change nothing of the data.
_IDLE = ("cluster_by_auto", "private", "refresh_policy", "storage_credential")


def _options(what, options):
    taken = {}
    for key, value in options.items():
        if value is None or value is False:
            continue
        if key in _TAKEN:
            taken[key] = value
        elif key in _IDLE:
            warn("%s: %s has no effect here" % (what, key))
        elif key in ("path", "row_filter", "temporary"):
            raise FlowctlUnsupported("%s: %s is not there in Spark's own pipelines, which run here" % (what, key))
        else:
            raise TypeError("%s: unknown option %s" % (what, key))
    return taken


def _decorator(kind, what):
    def decorate(query_function=None, *, name=None, **options):
        def outer(func):
            if not callable(func):
                raise TypeError("@%s goes above a function" % what)
            func.__flowctl_definition__ = Definition(kind, name or func.__name__, func, _options(what, options))
            for rule in func.__dict__.pop("__flowctl_rules__", ()):
                func.__flowctl_definition__.rules.append(rule)
            return func

        return outer if query_function is None else outer(query_function)

    decorate.__name__ = what
    return decorate


table = _decorator("table", "table")
materialized_view = _decorator("mv", "materialized_view")
view = temporary_view = _decorator("view", "view")


def create_streaming_table(name, *, expect_all=None, expect_all_or_drop=None, expect_all_or_fail=None, **options):
    """A table that append flows write to."""
    made = Definition("streaming", name, options=_options("create_streaming_table", options))
    for action, rules in (("warn", expect_all), ("drop", expect_all_or_drop), ("fail", expect_all_or_fail)):
        made.rules += [(action, n, e) for n, e in (rules or {}).items()]


create_target_table = create_streaming_live_table = create_streaming_table


def append_flow(*, target, name=None, spark_conf=None, once=False, comment=None):
    """A flow into a streaming table."""
    if once:
        raise FlowctlUnsupported("append_flow: once=True is not there in Spark's own pipelines, which run here")

    def outer(func):
        func.__flowctl_definition__ = Definition("flow", name or func.__name__, func, {"spark_conf": spark_conf} if spark_conf else {}, target)
        func.__flowctl_definition__.rules += func.__dict__.pop("__flowctl_rules__", [])
        return func

    return outer


def create_sink(name, format, options=None):
    """Where flows write to outside of the pipeline."""
    Definition("sink", name, options={"format": format, "options": options or {}})


# Expectations: a row that breaks one is dropped, or ends the update, or passes.

def _expect(action):
    def one(name, inv):
        return _rules([(action, name, inv)])

    def all_of(expectations):
        return _rules([(action, n, e) for n, e in expectations.items()])

    return one, all_of


def _rules(rules):
    def outer(func):
        made = getattr(func, "__flowctl_definition__", None)
        if made is not None:
            made.rules += rules
        else:
            func.__dict__.setdefault("__flowctl_rules__", []).extend(rules)
        return func

    return outer


expect, expect_all = _expect("warn")
expect_or_drop, expect_all_or_drop = _expect("drop")
expect_or_fail, expect_all_or_fail = _expect("fail")


def condition(action, name, rule):
    """The SQL condition by which rows pass a rule; None for one that lets all pass."""
    from flowctl_rt.spark_tokens import quoted

    if action == "drop":
        return "(%s)" % rule
    if action == "fail":
        text = "expectation %s is not met by a row: %s" % (name, rule)
        return "(CASE WHEN (%s) THEN true ELSE CAST(raise_error(%s) AS BOOLEAN) END)" % (rule, quoted(text))
    warn("expectation %s: rows that break it pass, as on a workspace; how many do is not counted here" % name)
    return None


def enforced(frame, rules):
    """The rows of a frame that meet the rules."""
    for rule in rules:
        passes = condition(*rule)
        if passes:
            frame = frame.filter(passes)
    return frame


# Reading, as dlt had it.

def read(name):
    from flowctl_rt import pipeline

    return pipeline.spark().read.table(name)


def read_stream(name):
    from flowctl_rt import pipeline

    return pipeline.spark().readStream.table(name)


def _missing(name):
    def call(*args, **kwargs):
        raise FlowctlUnsupported(
            "%s: change data capture and snapshots are not there in the declarative pipelines of this Spark, which run here; "
            "run the pipeline on a workspace, or MERGE in a notebook task" % name
        )

    call.__name__ = name
    return call


MISSING = (
    "apply_changes", "apply_changes_from_snapshot", "create_auto_cdc_flow", "create_auto_cdc_from_snapshot_flow", "foreach_batch_sink",
    "on_event_hook",
)
NAMES = (
    "table", "materialized_view", "view", "temporary_view", "create_streaming_table", "create_target_table", "create_streaming_live_table",
    "append_flow", "create_sink", "expect", "expect_all", "expect_or_drop", "expect_all_or_drop", "expect_or_fail", "expect_all_or_fail",
    "read", "read_stream",
)


def change(module):
    """pyspark.pipelines has been loaded: it gets Databricks' names."""
    for name in NAMES:
        setattr(module, name, globals()[name])
    for name in MISSING:
        if not hasattr(module, name):
            setattr(module, name, _missing(name))
    module.__all__ = list(NAMES + MISSING)
