"""databricks.sdk.runtime without the SDK: the ten names of a notebook."""
from dbruntime import UserNamespaceInitializer

globals().update(UserNamespaceInitializer.getOrCreate().get_namespace_globals())
