"""The namespace of Databricks' packages, where none of them is installed."""
