#!/usr/bin/env python3
"""A client written from docs/protocol.md alone, on Debian's python3-msgpack: no code of tokend's.

Usage: msgpack_client_test.py TOKEND
"""

import hashlib
import os
import re
import socket
import string
import sys
import time
import unittest
import zlib

import msgpack

from server_under_test import PATIENCE_SECONDS, Server

PROGRAM = os.path.abspath(sys.argv.pop(1))
PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "protocol.md")
DAY_MS = 24 * 3600 * 1000


def now_ms():
    return time.time_ns() // 1_000_000


def key_of(token):
    return hashlib.sha256(token).digest()


def id_of(token):
    return key_of(token.encode())[:12].hex()


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(error)
        self.code = error["code"]
        self.message = error["message"]
        self.id = error.get("id")


class ProtocolError(Exception):
    pass


class Client:
    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(address)
        self.unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self.msgid = 0
        self.answers = {}

    def close(self):
        self.socket.close()

    def send(self, method, *params):
        """Sends a request without waiting; gives its msgid."""
        self.msgid += 1
        self.socket.sendall(msgpack.packb([0, self.msgid, method, list(params)]))
        return self.msgid

    def notify(self, method, *params):
        self.socket.sendall(msgpack.packb([2, method, list(params)]))

    def answer_to(self, msgid):
        while msgid not in self.answers:
            for message in self.unpacker:
                if message[0] == 2:
                    raise ProtocolError(message[2][0]["message"])
                kind, answered, error, result = message
                assert kind == 1 and answered not in self.answers
                self.answers[answered] = (error, result)
            if msgid in self.answers:
                break
            received = self.socket.recv(65536)
            if not received:
                raise EOFError
            self.unpacker.feed(received)
        error, result = self.answers.pop(msgid)
        if error is not None:
            assert result is None
            raise RpcError(error)
        return result

    def call(self, method, *params):
        return self.answer_to(self.send(method, *params))


def exchanges(page):
    """[(line, [(direction, pattern)])] of each ```text bytes block: `pattern` matches the bytes."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    blocks = []
    for block in re.finditer(r"^```text bytes\n(.*?)^```$", text, re.M | re.S):
        steps = []
        for line in block.group(1).splitlines():
            if line.startswith("#"):
                continue
            if line[0] in "<>":
                steps.append([line[0], b""])
            for word in line[2:].split():
                steps[-1][1] += b"(?s:.*?)" if word == "..." else re.escape(bytes.fromhex(word))
        blocks.append((text.count("\n", 0, block.start()) + 2, steps))
    return blocks


class Documentation(unittest.TestCase):
    def test_every_exchange_shown_is_what_happens(self):
        blocks = exchanges(PAGE)
        self.assertGreater(len(blocks), 10)
        ended = False
        with Server(PROGRAM) as server:
            with socket.create_connection(server.address("rpc")) as client:
                client.settimeout(PATIENCE_SECONDS)
                received = b""
                for line, steps in blocks:
                    self.assertFalse(ended, "nothing is read after a protocol error")
                    for direction, pattern in steps:
                        if direction == ">":
                            # What is sent has no wildcards, so its pattern is it.
                            client.sendall(re.sub(rb"(?s)\\(.)", rb"\1", pattern))
                            continue
                        wanted = re.compile(pattern)
                        while not wanted.match(received):
                            more = client.recv(65536)
                            self.assertTrue(more, f"{PAGE}:{line}: {received!r}")
                            received += more
                            if len(received) > 1000:
                                self.fail(f"{PAGE}:{line}: {received!r}")
                        ended = b"protocol_error" in received
                        received = received[wanted.match(received).end():]
                    if not ended:
                        self.assertEqual(received, b"", f"{PAGE}:{line}")
                self.assertTrue(ended)
                self.assertEqual(client.recv(100), b"")
            self.assertEqual(server.stop(), 0)


class Methods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, "--usage-flush-interval-ms", "100")

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.server.__exit__()
        assert status == 0, status

    def setUp(self):
        self.client = Client(self.server.address("rpc"))
        self.addCleanup(self.client.close)
        # A namespace for each test, so that they do not see each other's tokens.
        self.space = self.id()

    def call(self, method, *params):
        return self.client.call(method, *params)

    def insert(self, token, **fields):
        return self.call("insert", {"token": token, "namespace": self.space, **fields})

    def validate(self, token):
        return self.call("validate", token, self.space)

    def assert_expired(self, token):
        """What has expired becomes unknown once it is reclaimed, whenever that is."""
        self.assertIn(self.validate(token), ([False, "expired"], [False, "unknown"]))

    def assert_error(self, code, field, method, *params):
        with self.assertRaises(RpcError) as raised:
            self.call(method, *params)
        self.assertEqual(raised.exception.code, code)
        self.assertIn(field, raised.exception.message)
        return raised.exception

    def test_hello_and_ping(self):
        hello = self.call("hello", {"client": "test", "version": "1", "more": True})
        self.assertEqual(hello["server"], "tokend")
        self.assertEqual(hello["protocol"], 1)
        self.assertEqual(hello["limits"], {"message_bytes": 4 << 20, "nesting": 16, "many": 10000})
        self.assertEqual(self.call("ping"), "pong")

    def test_over_the_unix_socket(self):
        client = Client(self.server.unix_path())
        self.addCleanup(client.close)
        self.assertEqual(client.call("ping"), "pong")

    def test_insert_and_validate(self):
        expires_at = now_ms() + DAY_MS
        self.assertEqual(self.insert("t", owner="bob", scopes=["read", "write"], name="laptop",
                                     attributes={"plan": "gold"}, expires_at=expires_at),
                         id_of("t"))
        valid = [True, expires_at, "bob", ["read", "write"]]
        self.assertEqual(self.validate("t"), valid)
        self.assertEqual(self.validate(b"t"), valid)
        self.assertEqual(self.validate(msgpack.ExtType(1, key_of(b"t"))), valid)
        self.assertEqual(self.validate("T"), [False, "unknown"])
        self.assertEqual(self.call("validate_many", ["t", b"x", "t"], self.space),
                         [valid, [False, "unknown"], valid])
        self.insert(b"\xff\x00", ttl_ms=DAY_MS)
        self.assertEqual(self.validate(b"\xff\x00")[0], True)
        self.insert("old", expires_at=0)
        self.assert_expired("old")

    def test_insert_of_a_token_that_is_there(self):
        self.insert("t")
        params = {"token": "t", "namespace": self.space}
        self.assertEqual(self.assert_error("exists", "token", "insert", params).id, id_of("t"))
        self.call("revoke", "t", self.space)
        self.assertEqual(self.assert_error("revoked", "token", "insert", params).id, id_of("t"))
        self.assertEqual(self.insert("t", replace=True, owner="new"), id_of("t"))
        self.assertEqual(self.validate("t"), [True, None, "new", []])

    def test_insert_many(self):
        self.insert("there")
        elements = [{"token": "a", "namespace": self.space}, {"token": "there", "namespace": self.space},
                    {"tokn": "b"}, {"token": "c", "namespace": self.space}]
        first, exists, wrong, last = self.call("insert_many", elements)
        self.assertEqual((first, last), (id_of("a"), id_of("c")))
        self.assertEqual((exists["code"], exists["id"]), ("exists", id_of("there")))
        self.assertEqual(wrong["code"], "bad_params")
        self.assertIn("tokn", wrong["message"])
        self.assertEqual([verdict[0] for verdict in
                          self.call("validate_many", ["a", "there", "b", "c"], self.space)],
                         [True, True, False, True])

    def assert_issued(self, token, prefix):
        self.assertTrue(token.startswith(prefix + "_"))
        digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
        checksum = zlib.crc32(token[:-6].encode())
        written = ""
        for _ in range(6):
            checksum, digit = divmod(checksum, 62)
            written = digits[digit] + written
        self.assertEqual(token[-6:], written)
        self.assertEqual(len(token), len(prefix) + 1 + 36)

    def test_issue_and_rotate(self):
        issued = self.call("issue", {"owner": "bob", "scopes": ["s"], "namespace": self.space,
                                     "prefix": "live", "ttl_ms": DAY_MS})
        self.assert_issued(issued["token"], "live")
        self.assertEqual(issued["id"], id_of(issued["token"]))
        self.assertEqual(self.validate(issued["token"]), [True, issued["expires_at"], "bob", ["s"]])
        rotated = self.call("rotate", issued["token"], {"overlap_ms": 0}, self.space)
        self.assert_issued(rotated["token"], "tk")
        self.assertEqual(rotated["expires_at"], issued["expires_at"])
        self.assertEqual(self.validate(rotated["token"])[2:], ["bob", ["s"]])
        self.assert_expired(issued["token"])
        self.assert_error("bad_params", "token: must be live", "rotate", issued["token"], {},
                          self.space)
        self.assert_issued(self.call("issue")["token"], "tk")

    def test_revoke(self):
        token_id = self.insert("a")
        self.insert("b")
        self.assertIs(self.call("revoke", "b", self.space), True)
        self.assertIs(self.call("revoke", "b", self.space), False)
        self.assertIs(self.call("revoke", "never was", self.space), False)
        self.assertIs(self.call("revoke_id", token_id, self.space), True)
        self.assertIs(self.call("revoke_id", token_id, self.space), False)
        self.assertEqual(self.validate("a"), [False, "revoked"])
        for token in ("c", "d"):
            self.insert(token, owner="bob")
        self.assertEqual(self.call("revoke_owner", "bob", self.space), 2)
        self.assertEqual(self.validate("c"), [False, "revoked"])

    def test_extend_and_update(self):
        token_id = self.insert("t", name="before", scopes=["a"], expires_at=now_ms() + DAY_MS)
        self.assertIs(self.call("extend", "t", None, self.space), True)
        self.assertEqual(self.validate("t")[1], None)
        self.assertIs(self.call("extend", "t", 1, self.space), True)
        self.assertIs(self.call("extend", "t", now_ms() + DAY_MS, self.space), False)
        self.assertIs(self.call("update", {"id": token_id, "namespace": self.space, "name": "x"}),
                      False)
        token_id = self.insert("u", name="before", scopes=["a"])
        self.assertIs(self.call("update", {"id": token_id, "namespace": self.space,
                                           "scopes": ["b"], "attributes": {"k": [1, 2.5, None]}}),
                      True)
        record = self.call("get", "u", self.space)
        self.assertEqual((record["name"], record["scopes"], record["attributes"]),
                         ("before", ["b"], {"k": [1, 2.5, None]}))

    def test_get(self):
        before = now_ms()
        token_id = self.insert("t", owner="bob")
        record = self.call("get", "t", self.space)
        self.assertEqual(record, self.call("get", {"id": token_id, "namespace": self.space}))
        self.assertEqual(set(record), {
            "id", "source_id", "namespace", "owner", "name", "scopes", "created_at", "updated_at",
            "expires_at", "last_used_at", "use_count", "state", "generation", "attributes"})
        self.assertEqual((record["id"], record["namespace"], record["owner"], record["state"]),
                         (token_id, self.space, "bob", "active"))
        self.assertLessEqual(before - 1, record["created_at"])
        self.assertEqual((record["use_count"], record["last_used_at"]), (0, None))
        self.validate("t")
        used = self.call("get", "t", self.space)
        self.assertEqual(used["use_count"], 1)
        self.assertGreaterEqual(used["last_used_at"], record["created_at"])
        self.assertIsNone(self.call("get", "never was", self.space))

    def test_list_and_count(self):
        expires_at = now_ms() + DAY_MS
        for i in range(25):
            self.insert(f"t{i}", owner=("even", "odd")[i % 2], expires_at=expires_at + i)
        self.call("revoke", "t0", self.space)
        seen, cursor = [], None
        while True:
            page = self.call("list", {"namespace": self.space, "order": "-expires_at", "limit": 10,
                                      "cursor": cursor})
            seen += [record["expires_at"] for record in page["items"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        self.assertEqual(seen, [expires_at + i for i in reversed(range(25))])
        count = lambda **filters: self.call("count", {"namespace": self.space, **filters})
        self.assertEqual(count(), 25)
        self.assertEqual(count(owner="odd"), 12)
        self.assertEqual(count(state="revoked"), 1)
        self.assertEqual(count(expires_after=expires_at + 5, expires_before=expires_at + 7), 2)

    def test_purge_expired(self):
        self.insert("old", expires_at=1000)
        self.insert("new")
        self.assertEqual(self.call("purge_expired", 1000, self.space), 0)
        self.assertEqual(self.call("purge_expired", 1001, self.space), 1)
        self.assertIsNone(self.call("get", "old", self.space))
        self.assertIs(self.call("clock_accept"), True)

    def test_import(self):
        import_id = self.call("import_begin", {"namespace": self.space, "source": "pat.sql",
                                               "scheme": "sha256-after-bar", "position": {"row": 0}})
        rows = [{"key": key_of(b"secret"), "owner": "7", "source_id": "1", "scopes": ["*"]},
                {"token": "2|gone", "state": "revoked", "updated_at": 5},
                {"owner": "no key"}]
        totals = {"taken": 2, "replaced": 0, "unchanged": 0, "refused": 1}
        self.assertEqual(self.call("import_rows", import_id, rows), totals)
        self.assertEqual(self.call("import_end", import_id), totals)
        self.assertEqual(self.validate("1|secret"), [True, None, "7", ["*"]])
        self.assertEqual(self.validate("2|gone"), [False, "revoked"])
        self.assertEqual(self.call("get", "1|secret", self.space)["source_id"], "1")
        self.assert_error("bad_params", "import id", "import_rows", import_id, rows)

    def test_stats(self):
        stats = self.call("stats")
        self.assertEqual(stats["state"], "ready")
        for name in ("tokens", "namespaces", "load_records", "connections", "requests_total",
                     "errors_total", "queue_mutations", "disk_bytes"):
            self.assertIsInstance(stats[name], int, name)
        self.assertEqual(set(stats["validate_total"]),
                         {"valid", "unknown", "expired", "revoked", "unavailable"})
        self.assertGreaterEqual(stats["methods_total"]["stats"], 1)
        self.assertGreaterEqual(len(stats["loops"]), 1)

    def test_errors(self):
        self.insert("t")
        self.assert_error("unknown_method", "method", "frobnicate")
        self.assert_error("unknown_namespace", "namespace", "validate", "t", "typo")
        self.assert_error("bad_params", "token", "validate", 5)
        self.assert_error("bad_params", "token", "validate")
        self.assert_error("bad_params", "namespace", "validate", "t", "")
        self.assert_error("bad_params", "position 3", "validate", "t", self.space, 1)
        self.assert_error("bad_params", "expire_at", "insert", {"token": "u", "expire_at": 1})
        self.assert_error("bad_params", "expires_at", "insert", {"token": "u", "expires_at": 1.0})
        self.assert_error("bad_params", "expires_at", "insert",
                          {"token": "u", "expires_at": 1, "ttl_ms": 1})
        self.assert_error("too_large", "tokens", "validate_many", ["t"] * 10001)
        nested = []
        for _ in range(20):
            nested = [nested]
        self.assert_error("too_large", "nesting", "ping", nested)

    def test_pipelining(self):
        tokens = [f"t{i}" for i in range(500)]
        inserts = [self.client.send("insert", {"token": token, "namespace": self.space})
                   for token in tokens]
        self.client.answer_to(self.client.send("ping"))
        for msgid, token in zip(inserts, tokens):
            self.assertEqual(self.client.answer_to(msgid), id_of(token))
        validates = [self.client.send("validate", token, self.space) for token in tokens]
        for msgid in reversed(validates):
            self.assertEqual(self.client.answer_to(msgid), [True, None, None, []])

    def test_notifications(self):
        self.insert("there")
        self.client.notify("insert", {"token": "t", "namespace": self.space})
        self.client.notify("insert", {"token": ""})  # fails, and nobody is told
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.validate("t")[0] is not True:
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(self.client.answers, {})

    def test_what_ends_a_connection(self):
        for wrong in ([], [1, 5, None, None], [7, 5, "ping", []], 5, "ping", {"method": "ping"},
                      [0, -1, "ping", []], [2, "ping"]):
            client = Client(self.server.address("rpc"))
            self.addCleanup(client.close)
            self.assertEqual(client.call("ping"), "pong")
            client.socket.sendall(msgpack.packb(wrong))
            with self.assertRaises(ProtocolError):
                client.call("ping")


if __name__ == "__main__":
    unittest.main(verbosity=2)
