"""The profile that a dbt project runs with: the user's, or one made here.

A task with a warehouse gets one made from its catalog and schema, as on
Databricks. Without, the user's profiles are those of profiles_directory or of
the project's own folder; where there are none, one is made too.
"""
import os
import shlex

from flowctl_rt import attempt


def directory(project, want, commands):
    """The folder of profiles.yml. A command's own --profiles-dir wins over it, as everywhere in dbt."""
    if want.get("profiles"):
        return want["profiles"]
    if not want.get("warehouse") and os.path.exists(os.path.join(project, "profiles.yml")):
        return project
    folder = os.path.join(attempt().dir, "dbt_profiles")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(os.path.join(folder, "profiles.yml"), "w", encoding="utf-8") as f:
        f.write(made(_named(project), targets(commands), want))
    return folder


def _named(project):
    """The name of the profile that the project asks for. A file that is no YAML is for dbt to complain of."""
    import yaml  # dbt's own dependency

    try:
        with open(os.path.join(project, "dbt_project.yml"), encoding="utf-8") as f:
            settings = yaml.safe_load(f)
    except (yaml.YAMLError, UnicodeDecodeError):
        return "default"
    name = settings.get("profile") if isinstance(settings, dict) else None
    return name if isinstance(name, str) and name else "default"


def targets(commands):
    """The targets that commands name: a made profile has them all."""
    found = []
    for command in commands:
        words = shlex.split(command)
        for i, w in enumerate(words):
            flag, equals, value = w.partition("=")
            if flag not in ("--target", "-t"):
                continue
            if not equals:
                value = words[i + 1] if i + 1 < len(words) else ""
            if value and value not in found:
                found.append(value)
    return found or ["databricks"]


def made(name, outputs, want):
    """A profiles.yml for the run's own Spark."""
    import json  # a JSON document is a YAML document

    output = {
        "type": "databricks", "host": "{{ env_var('DBT_HOST') }}", "token": "{{ env_var('DBT_ACCESS_TOKEN') }}",
        "http_path": "/sql/1.0/warehouses/%s" % (want.get("warehouse") or "local"), "schema": want.get("schema") or "default", "threads": 4,
    }
    if want.get("catalog"):
        output["catalog"] = want["catalog"]
    return json.dumps({name: {"target": outputs[0], "outputs": {o: output for o in outputs}}}, indent=2) + "\n"
