"""dbutils.secrets: secrets of this attempt, hidden from its output."""
from flowctl_rt import attempt
from flowctl_rt.dbutils import Group

_loaded = None


class SecretScope(tuple):
    name = property(lambda self: self[0])

    def getName(self):
        return self[0]


class SecretMetadata(tuple):
    key = property(lambda self: self[0])


def _all():
    """What the engine delivered: read once; it is removed when the attempt ends."""
    global _loaded
    if _loaded is None:
        import json
        import os

        _loaded = {}
        a = attempt()
        if a is not None:
            path = os.path.join(a.dir, "secrets.json")
            try:
                with open(path, encoding="utf-8") as f:
                    _loaded = json.load(f)
            except FileNotFoundError:
                pass
    return _loaded


class Secrets(Group):
    def get(self, scope, key):
        """The value of a secret. It shows as [REDACTED] in all output."""
        import os

        value = _all().get(scope, {}).get(key)
        if value is None:
            name = "FLOWCTL_SECRET_%s__%s" % (_env(scope), _env(key))
            value = os.environ.get(name)
        if value is None:
            raise ValueError(
                "IllegalArgumentException: Secret does not exist with scope: %s and key: %s "
                "(set it in the environment variable %s)" % (scope, key, name)
            )
        from flowctl_rt import redact

        redact.hide(value)
        return value

    def getBytes(self, scope, key):
        """The value of a secret, as bytes."""
        return self.get(scope, key).encode()

    def list(self, scope):
        """The keys of a scope."""
        return [SecretMetadata((k,)) for k in sorted(_all().get(scope, {}))]

    def listScopes(self):
        """All scopes."""
        return [SecretScope((s,)) for s in sorted(_all())]


def _env(name):
    return "".join(c if c.isalnum() else "_" for c in name).upper()
