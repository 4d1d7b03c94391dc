#!/usr/bin/env python3
"""/v1 over HTTP, held together with docs/openapi.json: every answer has to be one that the document has.

Usage: rest_test.py TOKEND OPENAPI_JSON
"""

import base64
import hashlib
import http.client
import json
import os
import socket
import sys
import tempfile
import unittest
import urllib.parse

import msgpack
from jsonschema import Draft202012Validator, RefResolver
from server_under_test import Server

PROGRAM, DOCUMENT = sys.argv[1], sys.argv[2]
with open(DOCUMENT, encoding="utf-8") as file:
    OPENAPI = json.load(file)
RESOLVER = RefResolver("", OPENAPI)
METHODS = ("get", "post", "patch", "delete", "put")
CALLERS = {"app": ["issue", "revoke", "read"], "reader": ["read"], "ann-only": ["issue", "revoke", "read"]}


def validator(schema):
    return Draft202012Validator(schema, resolver=RESOLVER)


def operation_of(method, path):
    """(the document's path, its operation) of a request."""
    for template, operations in OPENAPI["paths"].items():
        pattern = template.split("/")
        if len(pattern) == len(path.split("/")) and all(
                a == b or a.startswith("{") for a, b in zip(pattern, path.split("/"))):
            return template, operations[method.lower()]
    raise AssertionError(f"{path} is not in the document")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()
        self.body = json.loads(self.text) if self.text else None


class RestTest(unittest.TestCase):
    def setUp(self):
        config = "".join(
            f'[[caller]]\nname = "{name}"\nroles = {json.dumps(roles)}\n'
            f'secrets_sha256 = ["{hashlib.sha256(name.encode()).hexdigest()}"]\n'
            + ('owners = ["ann"]\n' if name == "ann-only" else "") for name, roles in CALLERS.items())
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="tokend-test-")), "tokend.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.server = self.enterContext(Server(PROGRAM, environment={"TOKEND_CONFIG": path}))
        self.connection = http.client.HTTPConnection(*self.server.address("http"), timeout=60)
        self.addCleanup(self.connection.close)
        self.tokens = []

    def ask(self, method, path, body=None, *, caller="app", headers=None, raw=None, documented=True, **query):
        """The answer, which must be one of the document's."""
        fields = dict(headers or {})
        if caller is not None:
            fields["Authorization"] = "Basic " + base64.b64encode(f"{caller}:{caller}".encode()).decode()
        data = raw
        if body is not None:
            data = json.dumps(body)
        if data is not None:
            fields.setdefault("Content-Type", "application/json")
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        self.connection.request(method, target, body=data, headers=fields)
        answer = Answer(self.connection.getresponse())
        if documented:
            _, operation = operation_of(method, path)
            responses = operation["responses"]
            self.assertIn(str(answer.status), responses, answer.text)
            content = responses[str(answer.status)].get("content")
            if content is None:
                self.assertEqual(answer.text, "")
            else:
                media = answer.headers["Content-Type"]
                self.assertIn(media, content)
                validator(content[media]["schema"]).validate(answer.body)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        return answer

    def create(self, **fields):
        answer = self.ask("POST", "/v1/tokens", {"owner": "ann", **fields})
        self.assertEqual(answer.status, 201, answer.text)
        self.tokens.append(answer.body["token"])
        return answer.body

    def test_the_document_is_served_and_is_about_this_server(self):
        self.assertEqual(self.ask("GET", "/v1/openapi.json", caller=None).body, OPENAPI)
        for path, operations in OPENAPI["paths"].items():
            known = {method.upper() for method in METHODS if method in operations}
            if "GET" in known:
                known.add("HEAD")
            answer = self.ask("OPTIONS", path.replace("{", "").replace("}", ""), documented=False)
            self.assertEqual((answer.status, set(answer.headers["Allow"].split(", "))), (405, known), path)
            # Each schema is one.
            for operation in (operations[method] for method in METHODS if method in operations):
                for parameter in operation.get("parameters", []):
                    Draft202012Validator.check_schema(parameter["schema"])
        for schema in OPENAPI["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)
        self.assertEqual(self.ask("GET", "/v1/nothing", documented=False).status, 404)

    def test_a_token_lives_and_dies(self):
        made = self.create(name="laptop", scopes=["read", "write"], attributes={"plan": {"seats": 5}},
                           ttl_ms=3600_000, prefix="app")
        self.assertTrue(made["token"].startswith("app_"))
        path = f"/v1/tokens/{made['id']}"
        record = self.ask("GET", path, owner="ann").body
        self.assertEqual((record["owner"], record["name"], record["scopes"], record["attributes"], record["state"]),
                         ("ann", "laptop", ["read", "write"], {"plan": {"seats": 5}}, "active"))
        self.assertEqual(record["expires_at"], made["expires_at"])
        self.assertNotIn(made["token"], json.dumps(record))
        for changes in ({"name": "desk"}, {"scopes": []}, {"attributes": {"a": [1, None, "ü"]}}, {"expires_at": None},
                        {"expires_at": made["expires_at"] + 5000, "name": "both"}):
            self.assertEqual(self.ask("PATCH", path, changes, owner="ann").status, 204)
            record = self.ask("GET", path, owner="ann").body
            for name, value in changes.items():
                self.assertEqual(record[name], value)
        self.assertEqual(self.ask("DELETE", path, owner="ann").status, 204)
        self.assertEqual(self.ask("GET", path, owner="ann").body["state"], "revoked")
        self.assertEqual(self.ask("DELETE", path, owner="ann").status, 404)
        self.assertEqual(self.ask("PATCH", path, {"name": "late"}, owner="ann").status, 404)

    def test_of_others_nothing_is_there(self):
        made = self.create()
        path = f"/v1/tokens/{made['id']}"
        for request in (("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None)):
            self.assertEqual(self.ask(*request, owner="bob").status, 404)
            self.assertEqual(self.ask(*request, owner="ann", namespace="none").status, 404)
            self.assertEqual(self.ask(*request).status, 400)  # no owner
        self.assertEqual(self.ask("GET", path, owner="ann").body["state"], "active")
        self.assertEqual(self.ask("GET", "/v1/tokens", owner="bob").body, {"items": [], "next_cursor": None})
        self.assertEqual(self.ask("GET", "/v1/tokens").status, 400)

    def test_pages(self):
        made = {self.create(name=str(number))["id"] for number in range(7)}
        self.ask("POST", "/v1/tokens", {"owner": "bob"})
        seen, cursor = [], None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = self.ask("GET", "/v1/tokens", owner="ann", limit=3, **more).body
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        self.assertEqual((len(seen), set(seen)), (7, made))
        self.assertEqual(self.ask("GET", "/v1/tokens", owner="ann", cursor="wrong").status, 400)
        self.assertEqual(self.ask("GET", "/v1/tokens", owner="ann", limit=1001).status, 400)

    def test_attributes_that_json_has_no_words_for(self):
        with socket.create_connection(self.server.address("rpc"), timeout=60) as rpc:
            for number, (method, params) in enumerate([
                    ("hello", [{"client_id": "app", "client_secret": "app"}]),
                    ("insert", [{"token": "odd", "owner": "ann", "attributes": {7: b"\x00\xff", "f": 0.5}}])]):
                rpc.sendall(msgpack.packb([0, number, method, params]))
                unpacker = msgpack.Unpacker()
                while (answer := next(unpacker, None)) is None:
                    unpacker.feed(rpc.recv(4096))
                self.assertEqual(answer[:3], [1, number, None])
        shown = {"7": {"hex": "00ff"}, "f": 0.5}
        (item,) = self.ask("GET", "/v1/tokens", owner="ann").body["items"]
        self.assertEqual(item["attributes"], shown)
        self.assertEqual(self.ask("GET", "/v1/tokens/" + item["id"], owner="ann").body, item)

    def test_all_of_an_owner(self):
        for owner in ("ann", "ann", "b ü/b"):
            self.create(owner=owner)
        self.assertEqual(self.ask("DELETE", "/v1/owners/ann/tokens").body, {"revoked": 2})
        self.assertEqual(self.ask("DELETE", "/v1/owners/ann/tokens").body, {"revoked": 0})
        self.assertEqual(self.ask("DELETE", "/v1/owners/" + urllib.parse.quote("b ü/b", safe="") + "/tokens").body,
                         {"revoked": 1})
        self.assertEqual(self.ask("DELETE", "/v1/owners/%zz/tokens").status, 400)

    def test_a_key_makes_one_token(self):
        key = {"Idempotency-Key": "6f1c-1"}
        body = {"owner": "ann", "ttl_ms": 60_000, "scopes": ["read"]}
        first = self.ask("POST", "/v1/tokens", body, headers=key)
        self.tokens.append(first.body["token"])
        self.assertIsNone(first.headers["Idempotent-Replayed"])
        again = self.ask("POST", "/v1/tokens", dict(reversed(body.items())), headers=key)
        self.assertEqual((again.status, again.body), (201, first.body))
        self.assertEqual(again.headers["Idempotent-Replayed"], "true")
        self.assertEqual(len(self.ask("GET", "/v1/tokens", owner="ann").body["items"]), 1)
        # Another request, another caller, another key.
        self.assertEqual(self.ask("POST", "/v1/tokens", {**body, "name": "x"}, headers=key).status, 422)
        other = self.ask("POST", "/v1/tokens", body, headers=key, caller="ann-only")
        self.assertNotEqual(other.body["id"], first.body["id"])
        self.assertNotEqual(self.ask("POST", "/v1/tokens", body, headers={"Idempotency-Key": "2"}).body["id"],
                            first.body["id"])
        # One that was refused has made nothing, and its key is free.
        key = {"Idempotency-Key": "3"}
        self.assertEqual(self.ask("POST", "/v1/tokens", {**body, "namespace": "n" * 256}, headers=key).status, 400)
        self.assertEqual(self.ask("POST", "/v1/tokens", body, headers=key).status, 201)
        for wrong in ("", "x" * 256):
            self.assertEqual(self.ask("POST", "/v1/tokens", body, headers={"Idempotency-Key": wrong}).status, 400)
        # What has ended since does not come back: the answer is the first one's.
        path = f"/v1/tokens/{first.body['id']}"
        key = {"Idempotency-Key": "6f1c-1"}
        self.assertEqual(self.ask("PATCH", path, {"expires_at": 1}, owner="ann").status, 204)
        self.assertEqual(self.ask("POST", "/v1/tokens", body, headers=key).body, first.body)
        self.assertEqual(self.ask("GET", path, owner="ann").body["state"], "expired")
        # The longest lifetime is one.
        self.assertEqual(self.ask("POST", "/v1/tokens", {"owner": "ann", "ttl_ms": 2**53 - 1},
                                  headers={"Idempotency-Key": "5"}).status, 201)

    def test_callers(self):
        self.assertEqual(self.ask("GET", "/v1/tokens", caller=None, owner="ann").status, 401)
        self.assertEqual(self.ask("GET", "/v1/tokens", caller="reader", owner="ann").status, 200)
        self.assertEqual(self.ask("POST", "/v1/tokens", {"owner": "ann"}, caller="reader").status, 403)
        made = self.create(owner="bob")
        path = f"/v1/tokens/{made['id']}"
        for request in (("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None)):
            self.assertEqual(self.ask(*request, caller="ann-only", owner="bob").status, 403)
            self.assertEqual(self.ask(*request, caller="ann-only", owner="ann").status, 404)
        self.assertEqual(self.ask("POST", "/v1/tokens", {"owner": "bob"}, caller="ann-only").status, 403)
        self.assertEqual(self.ask("DELETE", "/v1/owners/bob/tokens", caller="ann-only").status, 403)

    def test_bodies_are_judged_as_the_document_does(self):
        schema = validator({"$ref": "#/components/schemas/NewToken"})
        for body in ({}, [], "text", None, {"owner": 1}, {"owner": None}, {"owner": "ann", "token": "mine"},
                     {"owner": "ann", "scopes": "read"}, {"owner": "ann", "scopes": [1]}, {"owner": "ann", "ttl_ms": 0},
                     {"owner": "ann", "ttl_ms": -1}, {"owner": "ann", "expires_at": "2031-01-01"},
                     {"owner": "ann", "expires_at": 1.5}, {"owner": "ann", "prefix": "a-b"},
                     {"owner": "ann", "attributes": []}, {"owner": "ann", "replace": True}):
            self.assertFalse(schema.is_valid(body), body)
            answer = self.ask("POST", "/v1/tokens", raw=json.dumps(body))
            self.assertEqual((answer.status, answer.body["code"]), (400, "bad_params"), body)
        changes = validator({"$ref": "#/components/schemas/TokenChanges"})
        path = f"/v1/tokens/{self.create()['id']}"
        for body in ({}, [], {"owner": "bob"}, {"name": None}, {"name": 1}, {"scopes": None}, {"expires_at": "never"},
                     {"never_expires": True}, {"id": "0" * 24}):
            self.assertFalse(changes.is_valid(body), body)
            self.assertEqual(self.ask("PATCH", path, raw=json.dumps(body), owner="ann").status, 400, body)
        for raw in ("{", "", "{\"owner\": \"ann\"} x", "[" * 60_000, "{\"owner\":\"ann\",\"attributes\":" + "{\"a\":" * 40,
                    "{\"owner\": \"\xff\"}".encode("latin-1")):
            self.assertEqual(self.ask("POST", "/v1/tokens", raw=raw).status, 400)
        self.assertEqual(self.ask("POST", "/v1/tokens", raw="owner=ann",
                                  headers={"Content-Type": "application/x-www-form-urlencoded"}).status, 415)
        self.assertEqual(self.ask("GET", "/v1/tokens", owner="ann", limit="many").status, 400)
        self.assertEqual(self.ask("GET", "/v1/tokens", owner="ann", colour="red").status, 400)
        self.assertEqual(self.ask("GET", "/v1/tokens/nonsense", owner="ann").status, 400)

    def tearDown(self):
        # Shown once, and written nowhere.
        self.assertEqual(self.server.stop(), 0)
        for directory, _, names in os.walk(self.server.directory):
            for name in names:
                with open(os.path.join(directory, name), "rb") as file:
                    content = file.read()
                for token in self.tokens:
                    self.assertNotIn(token.encode(), content, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
