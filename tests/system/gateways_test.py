#!/usr/bin/env python3
"""nginx, HAProxy and Caddy as docs/gateways.md configures them, in front of an API that says what it was
sent: who gets through, what the API is told, and what clients hear.

Usage: gateways_test.py BIN_DIR SOURCE_DIR
"""

import contextlib
import http.client
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BIN_DIR, SOURCE_DIR = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
START_SECONDS = 60
FILES = os.path.join(SOURCE_DIR, "deploy", "gateways")
# What the files say, and what stands there in a test.
TOKEND, API, GATEWAY = "127.0.0.1:7718", "127.0.0.1:9000", "127.0.0.1:8080"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Api(http.server.BaseHTTPRequestHandler):
    """Answers with the request that it got."""
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        text = json.dumps({"method": self.command, "path": self.path, "body": body.decode(),
                           "headers": {name.lower(): value for name, value in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_HEAD = answer

    def log_message(self, *_):
        pass


def wait_for(port, process):
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} did not start")
        time.sleep(0.02)


class Gateway:
    """A gateway and tokend behind it; the API is shared."""

    # A gateway's name: its files, the first of which it is started with, and its command.
    KINDS = {
        "nginx": (["nginx.conf"], ["nginx", "-e", "stderr", "-g", "daemon off; pid nginx.pid;", "-c"]),
        "haproxy": (["haproxy.cfg", "tokend.lua"], ["haproxy", "-q", "-f"]),
        "caddy": (["Caddyfile"], ["caddy", "run", "--adapter", "caddyfile", "--config"]),
    }

    def __init__(self, kind, api_port):
        self.directory = tempfile.mkdtemp(prefix="tokend-gateway-")
        self._log = open(os.path.join(self.directory, "log"), "wb")  # pylint: disable=consider-using-with
        self.port, tokend_port = free_port(), free_port()
        self.socket = os.path.join(self.directory, "t.sock")
        self.tokend = self._start([f"{BIN_DIR}/tokend", "--data-dir", f"{self.directory}/data", "--listen",
                                   "off", "--http", f"127.0.0.1:{tokend_port}", "--unix", self.socket])
        wait_for(tokend_port, self.tokend)
        files, command = self.KINDS[kind]
        for name in files:
            with open(os.path.join(FILES, name), encoding="utf-8") as file:
                text = file.read()
            for there, here in ((TOKEND, tokend_port), (API, api_port), (GATEWAY, self.port)):
                text = text.replace(there, f"127.0.0.1:{here}")
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        if kind == "nginx":
            command = command + [os.path.join(self.directory, files[0]), "-p", self.directory]
        else:
            command = command + [files[0]]
        self.process = self._start(command)
        wait_for(self.port, self.process)

    def _start(self, command):
        return subprocess.Popen(command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=self._log,
                                stderr=self._log, env={**os.environ, "HOME": self.directory})

    def ctl(self, *words):
        return subprocess.run([f"{BIN_DIR}/tokenctl", "--server", f"unix:{self.socket}", *words], check=True,
                              stdin=subprocess.DEVNULL, capture_output=True).stdout

    def ask(self, token=None, method="GET", path="/v1/x?y=1", body=None, **headers):
        """Status, headers, and what the API got; None where it got nothing."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, answer.headers, json.loads(text) if answer.status == 200 and text else None

    def stop(self):
        for process in (self.process, self.tokend):
            process.terminate()
            process.wait()
        self._log.close()
        shutil.rmtree(self.directory)


class GatewaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=cls.api.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.api.server_close)
        cls.addClassCleanup(cls.api.shutdown)

    def check(self, kind):
        gateway = Gateway(kind, self.api.server_address[1])
        self.addCleanup(gateway.stop)
        gateway.ctl("insert", "-n", "api_token", "--owner", "user-1", "--scope", "read", "--scope", "write",
                    "17|good/+=")
        gateway.ctl("insert", "-n", "api_token", "bare")

        status, _, seen = gateway.ask("17|good/+=")
        self.assertEqual((status, seen["method"], seen["path"]), (200, "GET", "/v1/x?y=1"))
        self.assertEqual(seen["headers"]["x-auth-owner"], "user-1")
        self.assertEqual(seen["headers"]["x-auth-scopes"], "read write")
        self.assertEqual(len(seen["headers"]["x-auth-id"]), 24)
        status, _, seen = gateway.ask("17|good/+=", "POST", "/v1/new", "a body")
        self.assertEqual((status, seen["method"], seen["body"]), (200, "POST", "a body"))
        self.assertEqual(gateway.ask("17|good/+=", "HEAD")[0], 200)
        self.assertEqual(gateway.ask("17|good/+=", "DELETE")[0], 200)

        # A client cannot say who it is by itself, not even where tokend has nothing to say.
        for token, owner in (("17|good/+=", "user-1"), ("bare", "")):
            status, _, seen = gateway.ask(token, **{
                "X-Auth-Owner": "root", "X-Auth-Scopes": "admin", "X-Auth-Expires": "9", "X-Auth-Id": "admin",
                "Tokend-Authorization": "Basic !"})
            self.assertEqual((status, seen["headers"].get("x-auth-owner", "")), (200, owner))
            self.assertNotIn("admin", seen["headers"].get("x-auth-scopes", ""))
            self.assertNotEqual(seen["headers"].get("x-auth-id"), "admin")
            self.assertEqual(seen["headers"].get("x-auth-expires", ""), "")

        status, headers, _ = gateway.ask()
        self.assertEqual((status, headers["WWW-Authenticate"]), (401, 'Bearer realm="tokend"'))
        status, headers, _ = gateway.ask("unknown")
        self.assertEqual(status, 401)
        self.assertEqual(headers["WWW-Authenticate"], 'Bearer realm="tokend", error="invalid_token"')

        # Revocation is fresh.
        gateway.ctl("revoke", "-n", "api_token", "17|good/+=")
        self.assertEqual(gateway.ask("17|good/+=")[0], 401)

        # Nobody is logged out where nobody can say.
        gateway.tokend.terminate()
        gateway.tokend.wait()
        self.assertIn(gateway.ask("bare")[0], (502, 503))

    def test_nginx(self):
        self.check("nginx")

    def test_haproxy(self):
        self.check("haproxy")

    def test_caddy(self):
        self.check("caddy")

    def test_the_page_shows_these_files(self):
        with open(os.path.join(SOURCE_DIR, "docs", "gateways.md"), encoding="utf-8") as file:
            page = file.read()
        for name in sorted(os.listdir(FILES)):
            with self.subTest(name), open(os.path.join(FILES, name), encoding="utf-8") as file:
                self.assertIn("\n" + file.read() + "```\n", page)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
