"""dbutils.widgets: the parameters of a task."""
from flowctl_rt import warn
from flowctl_rt.dbutils import Group, context


class InputWidgetNotDefined(Exception):
    """The name of a widget that is neither declared nor a parameter."""

    def __init__(self, name):
        super().__init__("com.databricks.dbutils_v1.InputWidgetNotDefined: No input widget named %s is defined" % name)


class Widgets(Group):
    def __init__(self):
        self._values = {}
        self._choices = {}

    def _bindings(self):
        return context().get("bindings", {})

    def get(self, name):
        """The value of a parameter, else of a declared widget."""
        return self._get(name)

    def _get(self, name, *default):
        bound = self._bindings()
        if name in bound:
            return bound[name]
        if name in self._values:
            return self._values[name]
        if default and default[0] is not None:
            return default[0]
        raise InputWidgetNotDefined(name)

    def getArgument(self, name, defaultValue=None):
        """The value of a parameter, or a default."""
        return self._get(name, defaultValue)

    def getAll(self):
        """All values by name."""
        return {**self._values, **self._bindings()}

    def text(self, name, defaultValue, label=None):
        """Declare a parameter with a default."""
        self._declare(name, defaultValue)

    def dropdown(self, name, defaultValue, choices, label=None):
        """Declare a parameter that takes one of a list of values."""
        self._among(name, [defaultValue], choices)
        self._declare(name, defaultValue, choices)

    def combobox(self, name, defaultValue, choices, label=None):
        """Declare a parameter with suggested values."""
        self._declare(name, defaultValue)

    def multiselect(self, name, defaultValue, choices, label=None):
        """Declare a parameter that takes several of a list, joined by commas."""
        self._among(name, [v for v in str(defaultValue).split(",") if v], choices)
        self._declare(name, defaultValue)

    def remove(self, name):
        """Take a widget away."""
        if name not in self._values:
            raise InputWidgetNotDefined(name)
        del self._values[name]

    def removeAll(self):
        """Take all widgets away. Parameters of the run stay."""
        self._values.clear()

    def _declare(self, name, default, choices=None):
        if not isinstance(name, str) or not name:
            raise ValueError("the name of a widget is text: %r" % (name,))
        self._values.setdefault(name, "" if default is None else str(default))
        bound = self._bindings().get(name)
        if choices is not None and bound is not None and bound not in [str(c) for c in choices]:
            warn("parameter %s is %r, which is not among the widget's choices" % (name, bound))

    def _among(self, name, values, choices):
        known = [str(c) for c in choices]
        for v in values:
            if str(v) not in known:
                raise ValueError("widget %s: the default %r is not among its choices %r" % (name, v, known))
