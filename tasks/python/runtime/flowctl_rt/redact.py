"""Keeps secrets out of the log, whoever prints them.

From the first secret on, file descriptors 1 and 2 lead into a pipe, and a
thread copies what comes out of it to the log without the secrets; a secret
that is split over two writes is caught too.
"""
import os
import sys
import threading

_secrets = []
_pump = None
SHORT = 4  # shorter values would shred the log


def hide(value):
    """Hide a secret from now on."""
    if len(value) < SHORT:
        if value:
            print("warning: a secret of fewer than %d characters is not hidden" % SHORT, file=sys.stderr)
        return
    data = value.encode()
    if data not in _secrets:
        _secrets.append(data)
        _secrets.sort(key=len, reverse=True)
    global _pump
    if _pump is None:
        _pump = _Pump()


def clean(text):
    """A text without the secrets."""
    for s in _secrets:
        text = text.replace(s.decode(), "[REDACTED]")
    return text


def drain():
    """Wait until everything written so far has reached the log."""
    if _pump is not None:
        _pump.close()


class _Pump:
    def __init__(self):
        sys.stdout.flush()
        sys.stderr.flush()
        self.log = os.dup(1)
        r, w = os.pipe()
        os.dup2(w, 1)
        os.dup2(w, 2)
        os.close(w)
        self.thread = threading.Thread(target=self._run, args=(r,), daemon=True)
        self.thread.start()

    def _run(self, r):
        held = b""
        while True:
            data = os.read(r, 65536)
            held += data
            for s in _secrets:
                held = held.replace(s, b"[REDACTED]")
            keep = self._start_of_secret(held) if data else 0
            out, held = held[: len(held) - keep], held[len(held) - keep:]
            while out:
                out = out[os.write(self.log, out):]
            if not data:
                return

    def _start_of_secret(self, data):
        """How many bytes at the end could be the beginning of a secret."""
        longest = 0
        for s in _secrets:
            for n in range(min(len(s) - 1, len(data)), longest, -1):
                if data.endswith(s[:n]):
                    longest = n
                    break
        return longest

    def close(self):
        os.dup2(self.log, 1)
        os.dup2(self.log, 2)
        # A process that the task left behind may hold the pipe open.
        self.thread.join(timeout=2)
