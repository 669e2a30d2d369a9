"""Between the objects of a client of Spark Connect and those of the JVM: what
the server makes of a client's frame or column can be had before it is asked to,
and a frame of the JVM can be handed to the client."""
from flowctl_rt import spark_attach
from flowctl_rt.spark_tokens import bound, quoted


class Bridge:
    """A client's session, the JVM, and the server's holder of that session there."""

    def __init__(self, session, jvm, holder):
        self.session, self.jvm, self.holder = session, jvm, holder

    def java_frame(self, frame):
        """The data frame of the JVM that the server would make of one of the client's; None if it is no such frame."""
        if not hasattr(frame, "_plan"):
            return None
        message = frame._plan.to_proto(self.session.client).root.SerializeToString()
        plan = self._planner().transformRelation(self.jvm.org.apache.spark.connect.proto.Relation.parseFrom(message))
        return self.jvm.org.apache.spark.sql.classic.Dataset.ofRows(self.holder.session(), plan)

    def frame(self, java):
        """A data frame of the client that is one of the JVM."""
        from uuid import uuid4

        number = str(uuid4())
        self.holder.cacheDataFrameById(number, java)
        return self.session._create_remote_dataframe(number)

    def java_column(self, column):
        """The column of the JVM that the server would make of one of the client's."""
        return self.jvm.org.apache.spark.sql.classic.ExpressionUtils.column(self._expression(column))

    def own_jobs(self):
        """What this thread does in the JVM from here on is cancelled with the task."""
        spark_attach.own_jobs(self.jvm.org.apache.spark.SparkContext.getOrCreate())

    def statement(self, text, args):
        """A statement without parameters: the server's parser, which is Delta's, leaves those of Spark 4.1 unfilled."""
        return bound(text, args, self.literal) if args else text

    def literal(self, value):
        """A parameter's value as SQL has it."""
        from pyspark.sql.connect.functions import lit

        return quoted(value) if isinstance(value, str) else self._expression(lit(value)).sql()

    def _expression(self, column):
        """What the server makes of a column, before it knows of any table."""
        message = column.to_plan(self.session.client).SerializeToString()
        return self._planner().transformExpression(self.jvm.org.apache.spark.connect.proto.Expression.parseFrom(message))

    def _planner(self):
        return self.jvm.org.apache.spark.sql.connect.planner.SparkConnectPlanner(self.holder, self.jvm.scala.Option.empty())
