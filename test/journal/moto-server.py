"""Moto's S3 server on a free port of this machine; prints the port, ends when standard input ends.

Moto checks the conditions of a PUT and then writes, without a lock in between, so two conditional writes that meet can
both succeed. S3 lets one of them win; the lock below does, too.
"""

import os
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

lock = threading.Lock()
moto = DomainDispatcherApplication(create_backend_app)


def serve(environ, start_response):
    # The body is read before the lock is taken: a slow sender must not hold up everybody.
    length = environ.get("CONTENT_LENGTH")
    if length:
        import io

        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(length)))
    with lock:
        return list(moto(environ, start_response))


class QuietHandler(MotoRequestHandler):
    # Connections stay open: a hundred clients that ask twice a second would run out of ports.
    protocol_version = "HTTP/1.1"

    def log_request(self, code="-", size="-"):
        pass


server = make_server("127.0.0.1", 0, serve, threaded=True, request_handler=QuietHandler)
server.daemon_threads = True


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
print(server.server_address[1], flush=True)
server.serve_forever()
