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

    points = []
    try:
        points = [p for p in metadata.distribution(package).entry_points]
    except metadata.PackageNotFoundError:
        pass
    for p in points:
        if p.name == entry:
            return p.load()
    import importlib

    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ModuleNotFoundError as e:
        if e.name != package.replace("-", "_").split(".")[0]:
            raise
        raise ModuleNotFoundError(
            "package %r is not installed; list its wheel under the task's libraries or its environment's dependencies" % package
        ) from None
    target = module
    for part in entry.split("."):
        if not hasattr(target, part):
            names = ", ".join(sorted(p.name for p in points)) or "none"
            raise AttributeError(
                "package %r has no entry point %r (it declares: %s) and no function of that name" % (package, entry, names)
            )
        target = getattr(target, part)
    return target
