"""A model that answers: python model_server.py FOLDER.

Loads the MLflow model in FOLDER, writes the address where it listens as the
first line of its output, and answers POST /invocations as MLflow's own scoring
server does: dataframe_split, dataframe_records, instances, inputs and params,
CSV and Parquet. It ends when its standard input does.
"""
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LARGEST = 256 << 20  # bytes of a request


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = schema = None
    key = ""

    def do_POST(self):
        status, kind, text = self._answer()
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self):
        if self.headers.get("X-Flowctl-Key") != self.key:
            self.close_connection = True
            return _error("PERMISSION_DENIED", "this is not for you", 403)
        try:
            data = self._body()
        except ValueError as e:
            self.close_connection = True
            return _error("BAD_REQUEST", str(e))
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import scoring_server

        kind = self.headers.get("Content-Type") or "application/json"
        if not kind.startswith(("application/json", "text/", "application/vnd.apache.parquet")):
            kind = "application/json"
        try:
            if not kind.startswith("application/vnd.apache.parquet"):
                data = data.decode("utf-8")
            found = scoring_server.invocations(data, kind, self.model, self.schema)
            return found.status, found.mimetype, found.response
        except UnicodeDecodeError:
            return _error("BAD_REQUEST", "the request is no UTF-8 text")
        except MlflowException as e:
            print(e.message, getattr(e, "stack_trace", None) or "", file=sys.stderr)
            return e.get_http_status_code(), "application/json", e.serialize_as_json()
        except Exception as e:  # the model's code may raise anything
            import traceback

            traceback.print_exc()
            return _error("INTERNAL_ERROR", "%s: %s" % (type(e).__name__, e), 500)

    def _body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks, total = [], 0
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                total += size
                if total > _LARGEST:
                    raise ValueError("the request has more than %d bytes" % _LARGEST)
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(chunks)
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= _LARGEST:
            raise ValueError("the request has more than %d bytes" % _LARGEST)
        return self.rfile.read(size)

    def log_message(self, *args):
        pass


def _error(code, message, status=400):
    return status, "application/json", json.dumps({"error_code": code, "message": message})


def _watch():
    """End with whoever started us: our standard input is a pipe that only it holds."""
    import threading

    def wait():
        while os.read(life, 4096):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with what the model's code has started
        os._exit(0)

    life = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    threading.Thread(target=wait, daemon=True).start()


def main(folder):
    _watch()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the model's code writes goes to the log
    key = os.environ.pop("FLOWCTL_MODEL_KEY", "")
    import mlflow

    Handler.model = mlflow.pyfunc.load_model(folder)
    Handler.schema, Handler.key = Handler.model.metadata.get_input_schema(), key
    import mlflow.pyfunc.scoring_server  # noqa: F401  now, not with the first request

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    out.write("127.0.0.1:%d\n" % server.server_address[1])
    out.close()
    server.serve_forever()


if __name__ == "__main__":
    sys.path.pop(0)  # our own folder: its modules are named like others'
    main(sys.argv[1])
