"""The classes of dbutils, where code asks for them by module."""
from flowctl_rt.dbutils import DBUtils  # noqa: F401
from flowctl_rt.fs import ExecutionError, FileInfo, MountInfo  # noqa: F401
from flowctl_rt.secrets import SecretMetadata, SecretScope  # noqa: F401
