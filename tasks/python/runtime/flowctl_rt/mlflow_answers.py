"""What the answers of our additions to MLflow's server have in common."""
import json


def asked():
    """The fields of a request: of its query, or of its JSON body."""
    from flask import request

    fields = {k: v for k, v in request.args.items()}
    body = request.get_json(silent=True, force=True) if request.method != "GET" else None
    if isinstance(body, dict):
        fields.update(body)
    return fields


def answer(fields=None, status=200):
    from flask import Response

    return Response(json.dumps(fields or {}), status, mimetype="application/json")


def refuse(code, message, status=400):
    return answer({"error_code": code, "message": message}, status)


def user():
    """Who asks, as the daemon says."""
    from flask import request

    return request.headers.get("X-Flowctl-User", "")


def missing(fields, *names):
    """The refusal of a request without one of these fields; None: it has them."""
    for name in names:
        if fields.get(name) in (None, ""):
            return refuse("INVALID_PARAMETER_VALUE", "Missing value for required parameter '%s'." % name)
    return None


def route(app, path, fn, *methods):
    """Have fn answer a path; what MLflow's store refuses is answered in its words."""
    from functools import wraps

    @wraps(fn)
    def answered(*args, **kwargs):
        from mlflow.exceptions import MlflowException

        try:
            return fn(*args, **kwargs)
        except MlflowException as e:
            return refuse(e.error_code, e.message, e.get_http_status_code())

    app.add_url_rule(path, "flowctl:%s:%s" % ("+".join(methods), path), answered, methods=list(methods), provide_automatic_options=False)


def tags(kept, hidden=()):
    """An entity's tags on the wire."""
    return [{"key": k, "value": v} for k, v in sorted((kept or {}).items()) if k not in hidden]
