# Databricks notebook source
# MAGIC %md
# MAGIC A secret can be used, but not shown: output that holds it is redacted, however it gets there.

# COMMAND ----------

token = dbutils.secrets.get(scope="example", key="token")

print("the token is", token)
print("in a structure:", {"token": token})

# COMMAND ----------

# What is computed from a secret is not a secret any more: its length here, but the same goes for a slice.
dbutils.notebook.exit("a token of %d characters" % len(token))
