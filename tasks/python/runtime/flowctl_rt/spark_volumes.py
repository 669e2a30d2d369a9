"""Volumes: folders below /Volumes, which are there as soon as a file is."""
import os
import shutil

from flowctl_rt import paths
from flowctl_rt.spark_names import chain_at
from flowctl_rt.spark_statement import refusal


def folder_of(s):
    parts = s.name_after("VOLUME")
    full = ([s.names.catalog, s.names.schema] + parts)[-3:] if len(parts) < 3 else parts
    if len(parts) == 2:
        full = [s.names.catalog] + parts
    return paths.local("/Volumes/" + "/".join(full)), ".".join(full)


def create(s):
    folder, name = folder_of(s)
    if os.path.isdir(folder) and not s.has("IF", "NOT", "EXISTS"):
        raise refusal("VOLUME_ALREADY_EXISTS", "Cannot create volume %s because it already exists." % name)
    os.makedirs(folder, exist_ok=True)
    return s.nothing()


def drop(s):
    folder, name = folder_of(s)
    if not os.path.isdir(folder) and not s.has("IF", "EXISTS"):
        raise refusal("VOLUME_NOT_FOUND", "The volume %s cannot be found." % name)
    shutil.rmtree(folder, ignore_errors=True)
    return s.nothing()


def show(s):
    """SHOW VOLUMES [IN schema] [LIKE pattern]."""
    c, schema = s.names.catalog, s.names.schema
    if len(s.toks) > 3 and s.words[2] in ("IN", "FROM"):
        c, schema = s.names.schema_of(chain_at(s.toks, 3).parts)
    like = s.like()
    return s.rows(["database", "volume_name"], [[schema, v] for v in volumes_of(c, schema) if like(v)])


def volumes_of(catalog, schema):
    folder = paths.local("/Volumes/%s/%s" % (catalog, schema))
    if not os.path.isdir(folder):
        return []
    return sorted(n for n in os.listdir(folder) if os.path.isdir(os.path.join(folder, n)))


def describe(s):
    """DESCRIBE VOLUME name."""
    folder, name = folder_of(s)
    if not os.path.isdir(folder):
        raise refusal("VOLUME_NOT_FOUND", "The volume %s cannot be found." % name)
    c, schema, v = name.split(".")
    return s.rows(["name", "catalog", "database", "owner", "storageLocation", "volumeType", "comment"], [[v, c, schema, "", "file:" + folder, "MANAGED", ""]])
