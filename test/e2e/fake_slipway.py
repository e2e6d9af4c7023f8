#!/usr/bin/python3
"""Stands in for `slipway up` where the harness itself is tested; FAKE says what goes wrong."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

fake = os.environ.get("FAKE", "")
data = pathlib.Path(sys.argv[sys.argv.index("--data") + 1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
data.mkdir(exist_ok=True)
if fake == "dies":
    sys.exit("port taken")
listener = socket.create_server(("127.0.0.1", 0))
serve = subprocess.Popen(["tail", "-f", "/dev/null"], cwd=data, start_new_session=True)
if fake != "never":
    (data / "up.json.new").write_text(json.dumps(
        {"api": "127.0.0.1:%d" % listener.getsockname()[1], "pid": os.getpid(), "pids": {"serve": serve.pid}}))
    (data / "up.json.new").rename(data / "up.json")
signal.sigwait([signal.SIGINT, signal.SIGTERM])
if fake == "report":
    pathlib.Path(data.parent / "sanitizer.1").write_text("ERROR: AddressSanitizer: heap-use-after-free\n")
if fake == "hangs":
    signal.sigwait([signal.SIGUSR1])
if fake != "leaks":
    serve.kill()
    serve.wait()
sys.exit(3 if fake == "code" else 0)
