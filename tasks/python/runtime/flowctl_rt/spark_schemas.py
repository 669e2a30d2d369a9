"""Catalogs and schemas: folders of the warehouse, and which of them is the current one."""
import os
import shutil

from flowctl_rt import warn
from flowctl_rt.spark_names import chain_at, folded
from flowctl_rt.spark_statement import refusal


def enter(catalog, name, schema=None):
    """USE: the current catalog and schema, of the statements and of Spark.

    A job finds the schemas of its workspace made by others; here nobody has
    made them, so the one that a job enters is made for it.
    """
    schema = schema or "default"
    if not catalog.schema(name, schema):
        os.makedirs(catalog.folder(name, schema), exist_ok=True)
        catalog.schema(name, schema)
        if name.lower() != "samples":
            warn("schema %s.%s was not here and is made empty; a workspace would refuse to use it" % (name, schema))
    catalog.enter(name, schema)


def use_catalog(s):
    enter(s.catalog, s.name_after("CATALOG")[0])
    return s.nothing()


def use(s):
    i = 2 if s.words[1] in ("SCHEMA", "DATABASE") and len(s.toks) > 2 else 1
    c = chain_at(s.toks, i)
    if c is None or len(c.parts) > 2:
        return s.plain()
    enter(s.catalog, *s.names.schema_of(c.parts))
    return s.nothing()


def create_catalog(s):
    name = s.name_after("CATALOG")[0]
    folder = s.catalog.folder(name)
    if os.path.isdir(folder) and not s.has("IF", "NOT", "EXISTS"):
        raise refusal("CATALOG_ALREADY_EXISTS", "Cannot create catalog `%s` because it already exists." % name)
    os.makedirs(os.path.join(folder, "default"), exist_ok=True)
    return s.nothing()


def drop_catalog(s):
    name = s.name_after("CATALOG")[0]
    if not os.path.isdir(s.catalog.folder(name)):
        if s.has("IF", "EXISTS"):
            return s.nothing()
        raise refusal("CATALOG_NOT_FOUND", "The catalog `%s` cannot be found." % name)
    full = [c for c in s.catalog.schemas(name) if c != "default" or s.catalog.tables(name, c)]
    if full and not s.has("CASCADE"):
        raise refusal("CATALOG_NOT_EMPTY", "Cannot drop a catalog `%s` because it contains schemas; use CASCADE." % name)
    shutil.rmtree(s.catalog.folder(name))
    if s.names.catalog == name:
        enter(s.catalog, "hive_metastore")
    return s.nothing()


def show_catalogs(s):
    like = s.like()
    return s.rows(["catalog"], [[c] for c in s.catalog.catalogs() if like(c)])


def show_schemas(s):
    name = s.names.catalog
    if len(s.words) > 3 and s.words[2] in ("IN", "FROM"):
        name = s.toks[3].value
    like = s.like()
    return s.rows(["databaseName"], [[c] for c in s.catalog.schemas(name) if like(c)])


def create_schema(s):
    parts = s.name_after("SCHEMA", "DATABASE")
    c, name = s.names.schema_of(parts)
    try:
        os.makedirs(s.catalog.folder(c, name), exist_ok=s.has("IF", "NOT", "EXISTS"))
    except FileExistsError:
        raise refusal("SCHEMA_ALREADY_EXISTS", "Cannot create schema `%s`.`%s` because it already exists." % (c, name)) from None
    s.catalog.schema(c, name)
    return s.nothing()


def drop_schema(s):
    c, name = s.names.schema_of(s.name_after("SCHEMA", "DATABASE"))
    if not s.catalog.schema(c, name):
        if s.has("IF", "EXISTS"):
            return s.nothing()
        raise refusal("SCHEMA_NOT_FOUND", "The schema `%s`.`%s` cannot be found." % (c, name))
    if s.catalog.tables(c, name) and not s.has("CASCADE"):
        raise refusal("SCHEMA_NOT_EMPTY", "Cannot drop a schema `%s`.`%s` because it contains objects; use CASCADE." % (c, name))
    s.catalog.external.dropDatabase(folded(c, name), True, True)
    shutil.rmtree(s.catalog.folder(c, name), ignore_errors=True)
    return s.nothing()
