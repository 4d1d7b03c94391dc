"""MariaDB, as its package delivers it: what token tables are in today."""

import os
import re
import shutil
import subprocess
import time

import servers

TABLE = """
    CREATE TABLE api_token (id BIGINT PRIMARY KEY, token CHAR(64) CHARACTER SET ascii NOT NULL, account_id BIGINT NOT NULL,
                            expires_at DATETIME NULL, UNIQUE KEY (token));
    INSERT INTO api_token SELECT seq, LPAD(HEX(seq), 64, '0'), seq DIV 10, '2036-01-01' FROM seq_1_to_{rows};
"""


class MariaDb:
    """A server on a socket, with an empty database and its settings as they are delivered. On the
    server's CPU if `pin`, else on all. Its process is `pid`."""

    def __init__(self, directory, *, pin=False):
        self._directory = directory
        self._socket = os.path.join(directory, "socket")
        data = os.path.join(directory, "data")
        user = ["--user=root"] if os.geteuid() == 0 else []
        os.makedirs(directory)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={data}",
                        "--auth-root-authentication-method=normal", "--skip-test-db"] + user,
                       check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self._process = servers.start_process(
            ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self._socket}",
             "--skip-networking"] + user, servers.SERVER_CPU if pin else None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self._process.pid
        deadline = time.monotonic() + 60
        while subprocess.run(self._client("-e", "CREATE DATABASE portal"), check=False,
                             stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
            if time.monotonic() > deadline:
                raise servers.Failed("mariadbd did not start")
            time.sleep(0.1)

    def _client(self, *words):
        return ["mariadb", "--no-defaults", f"--socket={self._socket}", "-u", "root", *words]

    def load_command(self):
        """What takes SQL on its standard input."""
        return self._client("portal")

    def run_sql(self, text):
        subprocess.run(self.load_command(), input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def select(self, rows, connections, seconds):
        """Prepared SELECTs of random tokens of such a table, one in flight on each connection:
        {"per_second", "server_ns", "p99_us"}."""
        before, started = servers.cpu_seconds(self.pid), time.monotonic()
        command = ["sysbench", os.path.join(os.path.dirname(__file__), "select.lua"), "--db-driver=mysql",
                   f"--mysql-socket={self._socket}", "--mysql-user=root", "--mysql-db=portal",
                   f"--rows={rows}", f"--threads={connections}", f"--time={seconds:.0f}", "--percentile=99",
                   "--db-ps-mode=auto", "run"]
        done = servers.start_process(command, servers.GENERATOR_CPU, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, text=True)
        text = done.communicate()[0]
        found = re.search(r"transactions:\s+(\d+)", text)
        latency = re.search(r"99th percentile:\s+([0-9.]+)", text)
        if done.returncode != 0 or not found or not latency:
            raise servers.Failed(f"{' '.join(command)}\n{text[-2000:]}")
        spent, elapsed = servers.cpu_seconds(self.pid) - before, time.monotonic() - started
        return {"per_second": int(found[1]) / elapsed, "server_ns": spent * 1e9 / int(found[1]),
                "latency_us": {"p99": float(latency[1]) * 1000}}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
