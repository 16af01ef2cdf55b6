"""Serves moto on a port, one request at a time.

Its conditional put looks first and writes then, and it answers in threads: by itself it lets two racers win now and then, and a
client that probes it is right not to trust it.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

served = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    with turn:
        return [b"".join(served(environ, start_response))]


run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
