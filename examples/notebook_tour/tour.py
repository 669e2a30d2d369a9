# Databricks notebook source
# MAGIC %md
# MAGIC # A tour of what a notebook can do
# MAGIC Text cells are shown, not run. A cell ends where the separator line is.

# COMMAND ----------

# DBTITLE 1,Widgets: what comes in
dbutils.widgets.text("name", "world")
dbutils.widgets.dropdown("mode", "fast", ["fast", "thorough"])
dbutils.widgets.combobox("unit", "rows", ["rows", "bytes"])
dbutils.widgets.multiselect("parts", "a,b", ["a", "b", "c"])

inputs = {name: dbutils.widgets.get(name) for name in ("name", "mode", "unit", "parts")}
assert getArgument("name") == inputs["name"]
print(inputs)

# COMMAND ----------

# MAGIC %run ./helpers $greeting="good morning"

# COMMAND ----------

# DBTITLE 1,%run: the helper's functions are here now, and so is its parameter
said = greet(inputs["name"])
print(said)

# COMMAND ----------

# MAGIC %sh
# MAGIC # A shell in the notebook's folder.
# MAGIC ls *.py | sort

# COMMAND ----------

# DBTITLE 1,Files
dbutils.fs.mkdirs("dbfs:/tmp/example_tour")
dbutils.fs.put("dbfs:/tmp/example_tour/hello.txt", said, overwrite=True)
with open("/dbfs/tmp/example_tour/hello.txt") as f:
    assert f.read() == said  # the same file, for Python's own functions

# COMMAND ----------

# MAGIC %fs ls dbfs:/tmp/example_tour

# COMMAND ----------

# DBTITLE 1,Another notebook, in a process of its own
answer = dbutils.notebook.run("child", 60, {"question": "6 * 7"})

try:
    dbutils.notebook.run("child", 60, {"question": "6 / 0"})
except Exception as e:
    print("as it should be: the child failed:", str(e).splitlines()[0])
else:
    raise AssertionError("a failing child did not raise")

# COMMAND ----------

# DBTITLE 1,Output
display([{"part": part, "length": len(part)} for part in inputs["parts"].split(",")])
displayHTML("<b>bold</b>")

# COMMAND ----------

# DBTITLE 1,The end: what comes out
import json

try:
    dbutils.notebook.exit(json.dumps({"said": said, "answer": answer, "inputs": inputs}))
except Exception:
    raise AssertionError("leaving a notebook is no error")

# COMMAND ----------

raise AssertionError("this cell must not run")
