"""The names by which Databricks' SDK recognises a runtime and takes its objects."""


class UserNamespaceInitializer:
    _one = None

    @classmethod
    def getOrCreate(cls):
        if cls._one is None:
            cls._one = cls()
        return cls._one

    def get_namespace_globals(self):
        import flowctl_attempt
        from flowctl_rt import namespace

        names = namespace.as_dict(flowctl_attempt.Lazy)
        names["dbutils"] = namespace.get("dbutils")
        return names
