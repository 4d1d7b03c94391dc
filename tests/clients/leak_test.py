#!/usr/bin/env python3
"""Everything once, with tokens and secrets that are easy to find; then none of them is in any file, log, metric,
answer or error, but where it is meant to be.

Usage: leak_test.py TOKEND TOKENCTL
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

import msgpack

from server_under_test import PATIENCE_SECONDS, Server

PROGRAM, TOKENCTL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
ALL_ROLES = ["validate", "introspect", "issue", "revoke", "read", "reveal", "admin"]
SEAL_KEY = hashlib.sha256(b"the key of sealed tokens").hexdigest()
SECRET = "callersecret-0d9f6c5be1"
WRONG_SECRET = "wrongsecret-7a41c09d22"


def token(name):
    return f"tokenmark-{name}-9Zq7Lw3Xk5Vb8Nc2"


class Rpc:
    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE_SECONDS)  # closed with the process
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)

    def call(self, method, *params):
        """[error, result]"""
        self.socket.sendall(msgpack.packb([0, 1, method, list(params)]))
        while True:
            for message in self.unpacker:
                return message[2:]
            more = self.socket.recv(65536)
            if not more:
                raise AssertionError(f"{method}: the server has closed the connection")
            self.unpacker.feed(more)


class LeakTest(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="tokend-test-"))
        self.config = os.path.join(self.directory, "tokend.toml")
        self.audit = os.path.join(self.directory, "run", "audit.jsonl")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'seal_key_file = "{os.path.join(self.directory, "seal.key")}"\n'
                       f'audit_file = "{self.audit}"\n'
                       'log_level = "debug"\nwrite_buffer_bytes = 1048576\nusage_flush_interval_ms = 100\n'
                       f'auth_namespace = "default"\n[[caller]]\nname = "all"\nroles = {json.dumps(ALL_ROLES)}\n'
                       f'secrets_sha256 = ["{hashlib.sha256(SECRET.encode()).hexdigest()}"]\n'
                       '[[namespace]]\nname = "sealed"\nseal = true\n')
        with open(os.path.join(self.directory, "seal.key"), "w", encoding="ascii") as file:
            file.write(SEAL_KEY + "\n")
        self.secret_file = os.path.join(self.directory, "secret")
        with open(self.secret_file, "w", encoding="ascii") as file:
            file.write(SECRET + "\n")
        # Of what may be found nowhere: the names are for the message.
        self.secrets = {"the caller's secret": SECRET, "a wrong secret": WRONG_SECRET, "the seal key": SEAL_KEY,
                        "the seal key, raw": bytes.fromhex(SEAL_KEY)}
        self.said = []  # all that was answered and may not hold a token

    def start(self):
        data = os.path.join(self.directory, "run")
        os.makedirs(data, exist_ok=True)
        return Server(PROGRAM, directory=data, environment={"TOKEND_CONFIG": self.config})

    def mark(self, name):
        self.secrets[f"token {name}"] = token(name)
        return token(name)

    def say(self, what):
        self.said.append(what if isinstance(what, (str, bytes)) else json.dumps(what, default=repr))
        return what

    def tokenctl(self, server, *args, given=None, is_issuing=False):
        done = subprocess.run([TOKENCTL, "--server", "%s:%d" % server.address("rpc"), "--client-id", "all",
                               "--client-secret-file", self.secret_file, *args], input=given, capture_output=True,
                              check=False, timeout=PATIENCE_SECONDS)
        self.say(done.stderr)
        if not is_issuing:
            self.say(done.stdout)
        return done.stdout.decode()

    def ask(self, server, method, path, body=None, fields=(), is_issuing=False):
        connection = http.client.HTTPConnection(*server.address("http"), timeout=PATIENCE_SECONDS)
        connection.request(method, path, body=body, headers=dict(fields))
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        self.say(str(answer.headers))
        if not is_issuing:
            self.say(text)
        connection.close()
        return text

    def use_rpc(self, server):
        rpc = Rpc(server.address("rpc"))
        self.say(rpc.call("hello", {"client_id": "all", "client_secret": SECRET}))
        for number in range(300):
            self.say(rpc.call("insert", {"token": self.mark(f"n{number}"), "owner": f"owner-{number % 7}",
                                         "name": "a name", "scopes": ["read"], "ttl_ms": 3600_000}))
        self.say(rpc.call("insert_many", [{"token": self.mark(f"m{i}")} for i in range(20)] + [{"token": ""}]))
        self.say(rpc.call("insert", {"token": token("n1")}))  # exists
        self.say(rpc.call("validate", token("n1")))
        self.say(rpc.call("validate_many", [token("n1"), self.mark("unknown")]))
        for issuing in (rpc.call("issue", {"owner": "ann"}), rpc.call("rotate", token("n2"), {"overlap_ms": 5})):
            self.secrets[f"issued {len(self.secrets)}"] = issuing[1]["token"]
        self.say(rpc.call("revoke", token("n3")))
        self.say(rpc.call("insert", {"token": token("n3")}))  # revoked
        self.say(rpc.call("extend", token("n4"), None))
        self.say(rpc.call("get", token("n5")))
        self.say(rpc.call("list", {"limit": 50}))
        self.say(rpc.call("revoke_owner", "owner-6"))
        # In places where none belongs.
        stray = self.mark("stray")
        for method, *params in ((stray,), ("validate", {stray: 1}), ("validate", "x", stray), ("insert", {stray: 1}),
                                ("insert", {"token": "y", "scopes": stray}), ("list", {"cursor": stray}),
                                ("list", {"state": stray}), ("revoke_id", stray), ("get", {"id": stray}),
                                ("import_begin", {"scheme": stray}), ("import_rows", stray, []), ("validate", stray, 5),
                                ("insert", {"token": stray, "expires_at": stray}), ("stats", stray)):
            error, _ = self.say(rpc.call(method, *params))
            self.assertIsNotNone(error, (method, params))
        self.seal(rpc)
        imported = rpc.call("import_begin", {"namespace": "imported"})[1]
        self.say(rpc.call("import_rows", imported, [{"token": self.mark("row"), "owner": "ann"}, {"token": 5}]))
        self.say(rpc.call("import_end", imported))
        self.say(rpc.call("hello", {"client_id": "all", "client_secret": WRONG_SECRET}))

    def seal(self, rpc):
        for number in range(50):
            self.say(rpc.call("insert", {"token": self.mark(f"s{number}"), "namespace": "sealed",
                                         "owner": f"owner-{number}"}))
        issued = rpc.call("issue", {"namespace": "sealed", "owner": "ann"})[1]["token"]
        self.secrets["issued and sealed"] = issued
        self.assertEqual(rpc.call("reveal", {"namespace": "sealed", "owner": "ann"})[1]["token"], issued)
        self.assertEqual(rpc.call("reveal", {"namespace": "sealed", "owner": "owner-7"})[1]["token"], token("s7"))
        self.say(rpc.call("list", {"namespace": "sealed"}))
        self.say(rpc.call("get", token("s1"), "sealed"))
        stray = self.mark("stray in reveal")
        for params in ({stray: 1}, {"id": stray}, {"namespace": stray}, {"owner": "a", "id": stray}):
            error, _ = self.say(rpc.call("reveal", params))
            self.assertIsNotNone(error, params)
        self.say(rpc.call("rekey"))
        imported = rpc.call("import_begin", {"namespace": "sealed", "seal": True})[1]
        self.say(rpc.call("import_rows", imported, [{"token": self.mark("sealed row"), "owner": "ann"}]))
        self.say(rpc.call("import_end", imported))

    def use_http(self, server):
        basic = "Basic " + base64.b64encode(f"all:{SECRET}".encode()).decode()
        form = {"Authorization": basic, "Content-Type": "application/x-www-form-urlencoded"}
        as_json = {"Authorization": basic, "Content-Type": "application/json"}
        of_caller = {"Tokend-Authorization": basic}
        for presented in (token("n1"), token("n3"), token("unknown"), self.mark("new")):
            self.ask(server, "GET", "/auth", fields={**of_caller, "Authorization": f"Bearer {presented}"})
        self.ask(server, "GET", "/auth", fields={**of_caller, "Authorization": self.mark("scheme")})
        self.ask(server, "GET", "/" + self.mark("path"))
        self.ask(server, "GET", "/v1/tokens/" + self.mark("id") + "?owner=ann", fields=as_json)
        self.ask(server, "GET", f"/v1/tokens?owner=ann&{self.mark('parameter')}=1", fields=as_json)
        self.ask(server, "POST", "/v1/tokens", body=json.dumps({"owner": "ann", self.mark("field"): 1}), fields=as_json)
        for key in (None, "key-1", "key-1"):
            more = {} if key is None else {"Idempotency-Key": key}
            made = self.ask(server, "POST", "/v1/tokens", body='{"owner": "ann"}', fields={**as_json, **more},
                            is_issuing=True)
            self.secrets[f"made {len(self.secrets)}"] = json.loads(made)["token"]
        for path in ("/introspect", "/revoke", "/introspect"):
            self.ask(server, "POST", path, body=urllib.parse.urlencode({"token": token("n9")}), fields=form)
        self.ask(server, "POST", "/introspect", body=f"token={token('n9')}&token={token('n9')}", fields=form)
        self.ask(server, "GET", "/metrics", fields={"Authorization": f"Bearer {SECRET}"})
        self.ask(server, "GET", "/metrics", fields={"Authorization": f"Bearer {WRONG_SECRET}"})
        broken = socket.create_connection(server.address("http"), timeout=PATIENCE_SECONDS)
        broken.sendall(f"GET /auth HTTP/1.1\r\nAuthorization: Bearer {self.mark('broken')}\n\n".encode())
        self.say(broken.recv(65536))
        broken.close()

    def use_tokenctl(self, server):
        self.tokenctl(server, "insert", "--owner", "bob", "-", given=self.mark("ctl").encode())
        self.tokenctl(server, "validate", "-", given=token("ctl").encode())
        issued = self.tokenctl(server, "--json", "issue", "--owner", "bob", is_issuing=True)
        self.secrets["ctl issued"] = json.loads(issued)["token"]
        self.tokenctl(server, "--" + self.mark("option"))
        dump = ("CREATE TABLE `api_token` (`id` int, `token` varchar(64), `account_id` int, `name` varchar(9), `created_at` "
                "datetime, `updated_at` datetime, `last_accessed` datetime);\nINSERT INTO `api_token` VALUES "
                f"(1,'{self.mark('dump')}',7,'x','2026-01-01 00:00:00','2026-01-01 00:00:00',NULL),"
                f"(2,'{self.mark('baddate')}',7,'x','not a date','2026-01-01 00:00:00',NULL);\n")
        self.tokenctl(server, "import", "-", "--table", "api_token", "--columns",
                      "token=token,owner=account_id,name=name,created=created_at,updated=updated_at", given=dump.encode())
        self.tokenctl(server, "export")
        dump = ("CREATE TABLE `pm_api_token` (`id` int, `token` text, `expires` datetime);\n"
                f"INSERT INTO `pm_api_token` VALUES (1,'{self.mark('sealed dump')}','2036-01-01 00:00:00');\n")
        self.tokenctl(server, "import", "-", "--namespace", "sealed", "--seal", given=dump.encode())
        revealed = self.tokenctl(server, "reveal", "--namespace", "sealed", "--id",
                                 hashlib.sha256(token("sealed dump").encode()).hexdigest()[:24], is_issuing=True)
        self.assertEqual(revealed, token("sealed dump") + "\n")
        self.tokenctl(server, "export", "--namespace", "sealed")
        self.tokenctl(server, "list")
        self.tokenctl(server, "--json", "stats")
        self.tokenctl(server, "backup")

    def test_no_token_is_found_where_none_should_be(self):
        with self.start() as server:
            self.use_rpc(server)
            self.use_http(server)
            self.use_tokenctl(server)
            server.stop(9)
        # Once more: what the log has is read, and files are written of it.
        with self.start() as server:
            rpc = Rpc(server.address("rpc"))
            rpc.call("hello", {"client_id": "all", "client_secret": SECRET})
            self.assertEqual(rpc.call("validate", token("n7"))[1][0], True)
            revealed = rpc.call("reveal", {"namespace": "sealed", "owner": "owner-8"})[1]
            self.assertEqual(revealed["token"], token("s8"))
            self.assertEqual(server.stop(), 0)

        self.assertIn("default", "".join(str(text) for text in self.said))  # something was said
        with open(self.audit, encoding="ascii") as file:
            ops = {json.loads(line)["op"] for line in file}
        self.assertLessEqual({"insert", "rotate", "revoke", "revoke_owner", "import", "reveal", "sign_in"}, ops)
        forms = {}
        for name, secret in self.secrets.items():
            raw = secret if isinstance(secret, bytes) else secret.encode()
            self.assertGreater(len(raw), 15, name)
            # base64 of it, whatever stands before: two characters of each end depend on that.
            forms.update({raw: name, raw.hex().encode(): name + " in hexadecimal"})
            for before in range(3):
                forms[base64.b64encode(b"x" * before + raw)[4:-4]] = name + " in base64"
        places = {f"what was said, {number}": text if isinstance(text, bytes) else text.encode()
                  for number, text in enumerate(self.said)}
        for directory, _, names in os.walk(os.path.join(self.directory, "run")):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.isfile(path):
                    with open(path, "rb") as file:
                        places[os.path.relpath(path, self.directory)] = file.read()
        kinds = {os.path.splitext(name)[1] for name in places}
        self.assertIn(".sst", kinds)
        self.assertTrue(any("backup" in name for name in places), list(places)[-20:])
        for place, content in places.items():
            for form, name in forms.items():
                self.assertFalse(form in content, f"{name} is in {place}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
