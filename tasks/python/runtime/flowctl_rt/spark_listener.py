"""What the queries of a session read, seen where it is settled: in their plans.

Spark tells a listener of each query that has run. Ours is a class of the JVM,
compiled there from the text below by the compiler that Spark has for its own
generated code: it needs no jar, and no query waits for a call back to Python.
Only Delta's classes are reached by their names, since releases differ.

A line of its report is: kind, path, version, table id, name, format, sure; with
tabs between. What ran comes first, then after a line "-" what was opened. kind
is delta (a table), file (a file or folder), wrote (a folder of files) or other
(what has no path). sure is 0 where the version is that of the analysis, and
another one may have been read.
"""

_SOURCE = r'''
import java.lang.reflect.Method;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.sql.catalyst.plans.QueryPlan;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.columnar.InMemoryRelation;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.InsertIntoHadoopFsRelationCommand;
import org.apache.spark.sql.execution.datasources.LogicalRelation;

public class FlowctlReads implements org.apache.spark.sql.util.QueryExecutionListener {
  private static final int MOST = 500;
  private final LinkedHashMap run = new LinkedHashMap();
  private final LinkedHashMap opened = new LinkedHashMap();
  private long more = 0;
  private String trouble = "";

  public void onSuccess(String what, QueryExecution q, long nanos) { see(q); }

  public void onFailure(String what, QueryExecution q, Exception e) {
    // A query that could not be analyzed has read nothing. To ask for its plan is to let it fail again, and to be told again.
    if (!e.getClass().getSimpleName().equals("ExtendedAnalysisException")) see(q);
  }

  private synchronized void see(QueryExecution q) {
    try {
      LinkedHashMap planned = new LinkedHashMap();
      LinkedHashMap asked = new LinkedHashMap();
      walk(q.optimizedPlan(), planned, true);
      walk(q.analyzed(), asked, false);
      HashMap paths = new HashMap();
      for (Iterator i = planned.values().iterator(); i.hasNext();) {
        String[] line = (String[]) i.next();
        paths.put(line[0] + line[1], line);
      }
      // A count that the table's log answers leaves nothing of the table in the plan.
      for (Iterator i = asked.values().iterator(); i.hasNext();) {
        String[] line = (String[]) i.next();
        if (!paths.containsKey(line[0] + line[1])) planned.put(key(line), line);
      }
      add(run, planned);
    } catch (Throwable e) {
      trouble = String.valueOf(e);
    }
  }

  public synchronized String opened(Object frame) {
    LinkedHashMap found = new LinkedHashMap();
    try {
      Object q = call(frame, "queryExecution");
      walk((QueryPlan) call(q, "analyzed"), found, false);
      add(opened, found);
    } catch (Throwable e) {
      trouble = String.valueOf(e);
    }
    return text(found);
  }

  public synchronized String report() {
    StringBuilder b = new StringBuilder();
    b.append(more).append('\t').append(clean(trouble)).append('\n').append(text(run)).append("-\n");
    return b.append(text(opened)).toString();
  }

  private void add(Map to, Map from) {
    for (Iterator i = from.entrySet().iterator(); i.hasNext();) {
      Map.Entry e = (Map.Entry) i.next();
      String[] line = (String[]) e.getValue();
      String[] had = (String[]) to.get(e.getKey());
      if (had != null) {
        if (line[6].equals("1")) had[6] = "1";
        if (had[5].equals("Text")) had[5] = line[5]; // how a schema is found out
      } else if (to.size() < MOST) to.put(e.getKey(), line);
      else more++;
    }
  }

  private static String text(Map m) {
    StringBuilder b = new StringBuilder();
    for (Iterator i = m.values().iterator(); i.hasNext();) {
      String[] line = (String[]) i.next();
      for (int n = 0; n < line.length; n++) b.append(n == 0 ? "" : "\t").append(clean(line[n]));
      b.append('\n');
    }
    return b.toString();
  }

  private static String clean(String s) { return s.replace('\t', ' ').replace('\n', ' '); }

  private static String key(String[] line) { return line[0] + "\t" + line[1] + "\t" + line[2]; }

  private static void put(Map found, String[] line) { found.put(key(line), line); }

  private void walk(QueryPlan plan, Map found, boolean planned) {
    leaf(plan, found, planned);
    for (scala.collection.Iterator i = plan.children().iterator(); i.hasNext();) walk((QueryPlan) i.next(), found, planned);
    for (scala.collection.Iterator i = plan.subqueries().iterator(); i.hasNext();) walk((QueryPlan) i.next(), found, planned);
  }

  private void leaf(QueryPlan plan, Map found, boolean planned) {
    if (plan instanceof LogicalRelation) {
      LogicalRelation r = (LogicalRelation) plan;
      Object relation = r.relation();
      String name = "";
      if (r.catalogTable().isDefined()) {
        name = ((org.apache.spark.sql.catalyst.catalog.CatalogTable) r.catalogTable().get()).identifier().unquotedString();
      }
      if (relation instanceof HadoopFsRelation) files((HadoopFsRelation) relation, name, found, planned);
      else put(found, new String[] {"other", String.valueOf(relation), "", "", name, "", "1"});
    } else if (plan instanceof InMemoryRelation) {
      walk(((InMemoryRelation) plan).cacheBuilder().cachedPlan(), found, planned);
    } else if (plan instanceof InsertIntoHadoopFsRelationCommand) {
      InsertIntoHadoopFsRelationCommand c = (InsertIntoHadoopFsRelationCommand) plan;
      if (planned) put(found, new String[] {"wrote", c.outputPath().toUri().getPath(), "", "", "", String.valueOf(c.fileFormat()), "1"});
    } else {
      String kind = plan.getClass().getSimpleName();
      if (kind.equals("AdaptiveSparkPlanExec")) walk((QueryPlan) call(plan, "initialPlan"), found, planned);
      if (kind.equals("FileSourceScanExec")) files((HadoopFsRelation) call(plan, "relation"), "", found, planned);
    }
  }

  private void files(HadoopFsRelation relation, String name, Map found, boolean planned) {
    Object index = relation.location();
    String kind = index.getClass().getName();
    if (kind.endsWith(".DeltaLogFileIndex")) return;
    if (kind.startsWith("org.apache.spark.sql.delta.")) {
      String path = ((org.apache.hadoop.fs.Path) call(index, "path")).toUri().getPath();
      Object at = index;
      if (kind.endsWith(".TahoeLogFileIndex") && !planned) at = call(index, "snapshotAtAnalysis");
      String version = String.valueOf(call(at, "version"));
      boolean sure = !kind.endsWith(".TahoeLogFileIndex") || ((Boolean) call(index, "isTimeTravelQuery")).booleanValue();
      if (!sure) sure = version.equals(String.valueOf(call(call(call(index, "deltaLog"), "unsafeVolatileSnapshot"), "version")));
      put(found, new String[] {"delta", path, version, String.valueOf(call(call(at, "metadata"), "id")), name, "", sure ? "1" : "0"});
      return;
    }
    for (scala.collection.Iterator i = relation.location().rootPaths().iterator(); i.hasNext();) {
      org.apache.hadoop.fs.Path p = (org.apache.hadoop.fs.Path) i.next();
      if (p.toString().indexOf("/_delta_log") >= 0) continue;
      put(found, new String[] {"file", p.toUri().getPath(), "", "", name, String.valueOf(relation.fileFormat()), "1"});
    }
  }

  private static Object call(Object of, String name) {
    try {
      Method m = of.getClass().getMethod(name, new Class[0]);
      m.setAccessible(true);
      return m.invoke(of, new Object[0]);
    } catch (Exception e) {
      throw new IllegalStateException(of.getClass().getName() + "." + name + ": " + e);
    }
  }
}
'''

_CLASS = "flowctl.reads.class"


def make(jvm):
    """A new listener; its class is compiled once in a driver."""
    kept = jvm.System.getProperties()
    made = kept.get(_CLASS)
    if made is None:
        compiler = jvm.org.codehaus.janino.SimpleCompiler()
        compiler.setParentClassLoader(jvm.org.apache.spark.util.Utils.getContextOrSparkClassLoader())
        compiler.cook(_SOURCE)
        made = compiler.getClassLoader().loadClass("FlowctlReads")
        kept.put(_CLASS, made)
    return made.newInstance()
