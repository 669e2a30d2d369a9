"""Builds dist/greetings-1.0.0-py3-none-any.whl from greetings/, with nothing but Python.

A wheel is a zip file with a few text files that say what is in it. No time
and no compression go into this one, so the same source gives the same bytes.
A real project would say `python -m build --wheel`.
"""
import base64
import hashlib
import pathlib
import zipfile

NAME, VERSION = "greetings", "1.0.0"
HERE = pathlib.Path(__file__).resolve().parent
INFO = "%s-%s.dist-info" % (NAME, VERSION)

files = {"%s/%s" % (NAME, p.name): p.read_bytes() for p in sorted((HERE / NAME).glob("*.py"))}
files[INFO + "/METADATA"] = ("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (NAME, VERSION)).encode()
files[INFO + "/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: build_wheel.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
files[INFO + "/entry_points.txt"] = b"[console_scripts]\ngreet = greetings:greet\nfarewell = greetings:farewell\n"
record = ""
for name, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record += "%s,sha256=%s,%d\n" % (name, digest, len(data))
files[INFO + "/RECORD"] = (record + INFO + "/RECORD,,\n").encode()

target = HERE / "dist" / ("%s-%s-py3-none-any.whl" % (NAME, VERSION))
target.parent.mkdir(exist_ok=True)
with zipfile.ZipFile(target, "w") as wheel:
    for name, data in files.items():
        entry = zipfile.ZipInfo(name)  # dated 1980-01-01
        entry.create_system = 3
        entry.external_attr = 0o100644 << 16
        wheel.writestr(entry, data)
print(target)
