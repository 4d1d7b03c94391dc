#!/usr/bin/env python3
"""Authlib, a client library that is not ours, against /introspect and /revoke.

Usage: oauth_client_test.py TOKEND TOKENCTL
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import unittest

from authlib.integrations.requests_client import OAuth2Session
from server_under_test import Server

PROGRAM, TOKENCTL = sys.argv[1], sys.argv[2]
TOKEN = "17|good/+= and more"
FORM = "client_secret_post"
BASIC = "client_secret_basic"


class OauthClientTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(PROGRAM, environment={"TOKEND_CONFIG": self.config()})
        self.addCleanup(self.server.__exit__)
        host, port = self.server.address("http")
        self.base = f"http://{host}:{port}"
        subprocess.run([TOKENCTL, "--server", f"unix:{self.server.unix_path()}", "insert", "--owner", "user-1",
                        "--scope", "read", "--ttl", "1h", "-"], input=TOKEN.encode(), check=True,
                       stdout=subprocess.DEVNULL)

    def config(self):
        digest = hashlib.sha256(b"s3cret").hexdigest()
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory(prefix="tokend-test-")), "tokend.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'[[caller]]\nname = "app"\nsecrets_sha256 = ["{digest}"]\n'
                       'roles = ["introspect", "revoke"]\n')
        return path

    def session(self, method, secret="s3cret"):
        return OAuth2Session("app", secret, token_endpoint_auth_method=method,
                             revocation_endpoint_auth_method=method)

    def introspect(self, session):
        return session.introspect_token(f"{self.base}/introspect", token=TOKEN, token_type_hint="access_token")

    def test_introspection_and_revocation(self):
        for method in (BASIC, FORM):
            answer = self.introspect(self.session(method))
            self.assertEqual(answer.status_code, 200, answer.text)
            claims = answer.json()
            self.assertTrue(claims["active"])
            self.assertEqual((claims["sub"], claims["scope"], claims["token_type"]), ("user-1", "read", "Bearer"))
            self.assertGreater(claims["exp"], 1_700_000_000)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
        answer = self.session(BASIC).revoke_token(f"{self.base}/revoke", token=TOKEN)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(self.introspect(self.session(BASIC)).json(), {"active": False})
        self.assertEqual(self.session(FORM).revoke_token(f"{self.base}/revoke", token="unknown").status_code, 200)

    def test_who_is_not_known(self):
        for method in (BASIC, FORM):
            answer = self.introspect(self.session(method, "wrong"))
            self.assertEqual((answer.status_code, answer.json()["error"]), (401, "invalid_client"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
