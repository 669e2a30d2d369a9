"""python_wheel_task: call an entry point of an installed package."""
import sys


def run(context):
    sys.argv = [context["package_name"]] + context["argv"]
    ret = _find(context["package_name"], context["entry_point"])()
    if ret is not None:
        sys.exit(ret)
    return '{"outcome":"SUCCESS"}'


def _find(package, entry):
    """The entry point of that name in any group of the package's metadata, else
    the attribute of that name of the package itself."""
    from importlib import metadata

    points, installed = [], False
    try:
        points = [p for p in metadata.distribution(package).entry_points]
        installed = True
    except metadata.PackageNotFoundError:
        pass
    for p in points:
        if p.name == entry:
            return p.load()
    import importlib

    names = ", ".join(sorted(p.name for p in points)) or "none"
    module = package.replace("-", "_")
    try:
        target = importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name != module.split(".")[0]:
            raise
        if installed:
            raise AttributeError(
                "package %r has no entry point %r (it declares: %s), and there is no module %s in which to look for a function of that name"
                % (package, entry, names, module)
            ) from None
        raise ModuleNotFoundError(
            "package %r is not installed; list its wheel under the task's libraries or its environment's dependencies" % package
        ) from None
    for part in entry.replace(":", ".").split("."):
        if not hasattr(target, part):
            try:  # a module of the package that it does not import itself
                target = importlib.import_module(target.__name__ + "." + part)
                continue
            except (ModuleNotFoundError, AttributeError):
                pass
            raise AttributeError(
                "package %r has no entry point %r (it declares: %s) and no function of that name" % (package, entry, names)
            )
        target = getattr(target, part)
    if not callable(target):
        raise TypeError("entry point %r of package %r is a %s, not a function" % (entry, package, type(target).__name__))
    return target
