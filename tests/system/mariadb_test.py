#!/usr/bin/env python3
"""From a MariaDB into tokend and back: its dumps in every form give the same tokens, and what
`tokenctl export` writes of them is taken by the database that they came from.

Usage: mariadb_test.py BIN_DIR
"""

import calendar
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

BIN_DIR = os.path.abspath(sys.argv[1])
START_SECONDS = 120
ROWS = 1200  # more than two statements of an export
NAMES = ("ci deploy", "O'Reilly \"x\"", "two\nlines", "tab\there", "back\\slash", "Zoë 🔑", "-- no comment",
         "", "NULL", "100%; DROP TABLE x", "\\N", "a,b")

TABLE = """
CREATE TABLE api_token (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  token char(64) NOT NULL UNIQUE,
  account_id bigint unsigned NOT NULL,
  name varchar(255) NOT NULL DEFAULT '',
  created_at timestamp NULL DEFAULT NULL,
  updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  last_accessed timestamp NULL DEFAULT NULL,
  expires_at timestamp NULL DEFAULT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
"""


def token(number):
    return f"secret-{number}"


def has_expired(number):
    return number % 10 == 3


def expiry(number):
    if has_expired(number):
        return f"2019-12-31 23:59:{number % 60:02}"
    return None if number % 10 < 3 else f"2037-06-0{number % 10} 12:00:{number % 60:02}"


def quoted(value):
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class MariaDb:
    def __init__(self, directory):
        self.directory = directory
        self._data = os.path.join(directory, "data")
        self._user = ["--user=root"] if os.geteuid() == 0 else []
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self._data}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"] + self._user,
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self._process = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={self._data}", f"--socket={directory}/socket",
             "--skip-networking", "--default-time-zone=+05:30"] + self._user,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(self.client("mariadb-admin", "ping"), check=False, stdin=subprocess.DEVNULL,
                             capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("mariadbd did not start")
            time.sleep(0.1)

    def client(self, program, *words):
        return [program, "--no-defaults", f"--socket={self.directory}/socket", "-u", "root", *words]

    def run(self, sql, *options):
        """What it prints; an error of any statement raises."""
        return subprocess.run(
            self.client("mariadb", "--default-character-set=utf8mb4", "--init-command=SET time_zone='+00:00'",
                        *options, "portal"),
            input=sql.encode(), check=True, stdout=subprocess.PIPE).stdout.decode()

    def rows(self, sql):
        return [line.split("\t") for line in self.run(sql, "--batch", "--skip-column-names").splitlines()]

    def dump(self, path, *options):
        with open(path, "wb") as file:
            subprocess.run(self.client("mariadb-dump", *options), check=True, stdin=subprocess.DEVNULL,
                           stdout=file)
        return path

    def stop(self):
        self._process.terminate()
        self._process.wait()


class Tokend:
    def __init__(self, directory):
        self._socket = os.path.join(directory, "t.sock")
        self._process = subprocess.Popen(
            [f"{BIN_DIR}/tokend", "--data-dir", os.path.join(directory, "tokend"), "--listen", "off",
             "--http", "off", "--unix", self._socket],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while self.ctl("stats", ok=None).returncode != 0:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("tokend did not start")
            time.sleep(0.05)

    def ctl(self, *words, stdin=None, ok=0):
        done = subprocess.run([f"{BIN_DIR}/tokenctl", "--server", f"unix:{self._socket}", *words],
                              input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                              capture_output=True, check=False)
        if ok is not None and done.returncode != ok:
            raise AssertionError(f"{words}: exit code {done.returncode}: {done.stderr.decode()}")
        return done

    def records(self, namespace="api_token"):
        lines = self.ctl("export", "-n", namespace, "--format", "jsonl").stdout.decode().splitlines()
        return {int(record["source_id"]): record for record in map(json.loads, lines)}

    def stop(self):
        self._process.terminate()
        self._process.wait()


class MariaDbTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # mariadbd may run as another user, who writes files here too; and sockets want short paths.
        cls.directory = tempfile.mkdtemp(prefix="tokend-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.database = MariaDb(cls.directory)
        cls.addClassCleanup(cls.database.stop)
        subprocess.run(cls.database.client("mariadb", "-e", "CREATE DATABASE portal"), check=True,
                       stdin=subprocess.DEVNULL)

    def setUp(self):
        values = []
        for i in range(1, ROWS + 1):
            row = (i, hashlib.sha256(token(i).encode()).hexdigest(), (1 << 64) - i, NAMES[i % len(NAMES)],
                   "2024-01-01 00:00:00", "2024-06-01 10:20:30",
                   "2025-01-01 00:00:00" if i % 2 else None, expiry(i))
            values.append("(" + ",".join(map(quoted, row)) + ")")
        self.database.run("DROP TABLE IF EXISTS api_token;" + TABLE + "INSERT INTO api_token VALUES " +
                          ",".join(values) + ";")
        self.work = tempfile.mkdtemp(dir=self.directory)
        os.chmod(self.work, 0o777)
        self.server = Tokend(self.work)
        self.addCleanup(self.server.stop)

    def path(self, name):
        return os.path.join(self.work, name)

    def check_all_there(self, namespace, names):
        records = self.server.records(namespace)
        self.assertEqual(len(records), ROWS)
        for i, record in records.items():
            self.assertEqual(record["owner"], str((1 << 64) - i))
            self.assertEqual(record["name"], names[i % len(names)], i)
            self.assertEqual(record["state"], "expired" if has_expired(i) else "active")
            self.assertEqual(record.get("expires_at"), expiry(i) and calendar.timegm(
                time.strptime(expiry(i), "%Y-%m-%d %H:%M:%S")) * 1000)

    def test_every_form_of_a_dump_gives_the_same_tokens(self):
        dump = self.database.dump
        columns = "id, token, account_id, name, created_at, updated_at, last_accessed, expires_at"
        tab = self.path("tab")
        os.mkdir(tab)
        os.chmod(tab, 0o777)
        dump(os.devnull, f"--tab={tab}", "--tz-utc", "portal", "api_token")
        header = ",".join(map(quoted, columns.split(", ")))
        self.database.run(f"SELECT {header} UNION ALL SELECT {columns} FROM api_token INTO OUTFILE "
                          f"'{self.path('api_token.csv')}' FIELDS TERMINATED BY ',' "
                          "OPTIONALLY ENCLOSED BY '\"'")
        with open(self.path("api_token.tsv"), "w", encoding="utf-8") as file:
            file.write(self.database.run(f"SELECT {columns} FROM api_token", "--batch"))
        forms = {
            "as it is": [dump(self.path("a.sql"), "portal")],
            "one row a statement, columns named": [
                dump(self.path("b.sql"), "--skip-extended-insert", "--complete-insert", "portal")],
            "ANSI, hexadecimal, replace": [
                # ANSI mode writes latin1 unless told otherwise, and "?" for what it does not have.
                dump(self.path("c.sql"), "--compatible=ansi", "--default-character-set=utf8mb4", "--hex-blob",
                     "--replace", "portal")],
            "all databases, local times": [dump(self.path("d.sql"), "--all-databases", "--skip-tz-utc"),
                                           "--time-zone", "+05:30"],
            "XML": [dump(self.path("e.xml"), "--xml", "--skip-tz-utc", "portal"), "--time-zone", "+05:30"],
            "--tab": [tab],
            "--batch": [self.path("api_token.tsv")],
            "CSV": [self.path("api_token.csv"), "--fields-escaped-by", "\\"],
        }
        for number, (form, words) in enumerate(forms.items()):
            with self.subTest(form):
                namespace = f"form{number}"
                done = json.loads(self.server.ctl("import", "--json", "-n", namespace, *words).stdout)
                taken = [table for table in done["tables"] if table.get("rows_taken")]
                self.assertEqual([table["rows_taken"] for table in taken], [ROWS], done)
                # --batch has the same word for NULL and for a text "NULL".
                self.check_all_there(
                    namespace, [None if (form, text) == ("--batch", "NULL") else text for text in NAMES])

    def test_the_database_takes_an_export(self):
        self.server.ctl("import", self.database.dump(self.path("dump.sql"), "portal"))
        used, revoked = (4, 5, 600, ROWS - 1), (6, 7, 1000)
        began = time.time()
        for i in used:
            self.server.ctl("validate", "-n", "api_token", "-", stdin=token(i).encode())
        for i in revoked:
            self.server.ctl("revoke", "-n", "api_token", "-", stdin=token(i).encode())
        sql = self.server.ctl("export", "-n", "api_token", "--format", "sql", "--delete").stdout
        before = dict((row[0], row[1:]) for row in self.database.rows(
            "SELECT id, token, name, updated_at, expires_at FROM api_token"))
        accessed = dict(self.database.rows(
            "SELECT id, IFNULL(UNIX_TIMESTAMP(last_accessed), 0) FROM api_token"))
        self.database.run(sql.decode())

        gone = {str(i) for i in range(1, ROWS + 1) if has_expired(i) or i in revoked}
        after = dict((row[0], row[1:]) for row in self.database.rows(
            "SELECT id, token, name, updated_at, expires_at FROM api_token"))
        self.assertEqual(after, {i: row for i, row in before.items() if i not in gone})
        for i, seconds in self.database.rows(
                "SELECT id, IFNULL(UNIX_TIMESTAMP(last_accessed), 0) FROM api_token"):
            if int(i) in used:
                self.assertGreaterEqual(float(seconds), int(began) - 1)
            else:
                self.assertEqual(seconds, accessed[i], i)

        # And once more: what has come back changes nothing.
        left = {i: record for i, record in self.server.records().items() if str(i) not in gone}
        self.server.ctl("import", self.database.dump(self.path("again.sql"), "portal"))
        again = self.server.records()
        self.assertEqual({i: again[i] for i in left}, left)
        self.assertEqual({again[i]["state"] for i in revoked}, {"revoked"})


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
