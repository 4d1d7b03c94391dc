#!/usr/bin/env python3
"""What tokenctl import takes of memory, whatever its input holds: a long line, a long value, the same
token again and again, rows as long as they may be. It reads from a pipe and sends to a real server.

Usage: import_memory_test.py BIN_DIR
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

RESIDENT_BYTES_MAX = 64 << 20
MIB = 1 << 20
TABLE = (b"CREATE TABLE `api_token` (`id` int, `token` varchar(64), `account_id` int, `name` longtext,"
         b" `scopes` longtext, `created_at` datetime, `updated_at` datetime);\n")
COLUMNS = "key_hex=token,owner=account_id,name=name,scopes=scopes,created_at=created_at"
INSERT = b"INSERT INTO `api_token` VALUES "


def row(number, name=b"n", scopes=b"read"):
    return b"(%d,'%064x',7,'%s','%s','2024-01-01 00:00:00','2024-01-01 00:00:00')" % (
        number, number, name, scopes)


def one_line():
    yield TABLE + INSERT
    for first in range(0, 300_000, 1000):
        yield b",".join(row(number) for number in range(first, first + 1000)) + b","
    yield row(300_000) + b";\n"


def long_value(table):
    yield TABLE + b"CREATE TABLE `other` (`id` int, `v` longtext);\n" + INSERT + row(1) + b";\n"
    begin, end = row(2, b"|").split(b"|")
    yield INSERT + begin if table == "api_token" else b"INSERT INTO `other` VALUES (1,'"
    for _ in range(100):
        yield b"x" * MIB
    yield end + b";\n" if table == "api_token" else b"');\n"


def same_token():
    yield TABLE
    for _ in range(500):
        yield INSERT + b",".join([row(5)] * 1000) + b";\n"


def long_rows():
    scopes = b",".join(b"s" * 120 + b"%02d" % i for i in range(60))
    yield TABLE
    for first in range(0, 10_000, 100):
        yield INSERT + b",".join(row(number, b"n" * 200, scopes)
                                 for number in range(first, first + 100)) + b";\n"


def long_name():
    yield TABLE + b"INSERT INTO `"
    for _ in range(100):
        yield b"x" * MIB
    yield b"` VALUES (1);\n" + INSERT + row(1) + b";\n"


def many_columns():
    yield TABLE + INSERT + b"("
    for _ in range(100):
        yield b"1," * (MIB // 2)
    yield b"1);\n" + INSERT + row(1) + b";\n"


# What is read, and how many of its tokens the server then has.
INPUTS = {
    "one line": (one_line, 300_001),
    "a long value that nobody wants": (lambda: long_value("other"), 1),
    "a long value of a token": (lambda: long_value("api_token"), 2),
    "the same token again and again": (same_token, 1),
    "rows as long as they may be": (long_rows, 10_000),
    "a long name": (long_name, 1),
    "more values than columns": (many_columns, 1),
}


def feed(pipe, chunks):
    try:
        for chunk in chunks:
            pipe.write(chunk)
        pipe.close()
    except BrokenPipeError:
        pass


def resident_bytes_max(command, chunks):
    """The most that it took; its own exit code is of no concern here."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    errors = []
    readers = [threading.Thread(target=feed, args=(process.stdin, chunks)),
               threading.Thread(target=lambda: errors.append(process.stderr.read()))]
    for reader in readers:
        reader.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    for reader in readers:
        reader.join()
    if process.returncode not in (0, 3):
        raise SystemExit(f"exit code {process.returncode}: {errors[0].decode()}")
    return usage.ru_maxrss * 1024


def main():
    bin_dir = os.path.abspath(sys.argv[1])
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "sock")
        server = subprocess.Popen(
            [os.path.join(bin_dir, "tokend"), "--data-dir", os.path.join(directory, "data"),
             "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--unix", path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    with socket.socket(socket.AF_UNIX) as probe:
                        probe.connect(path)
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            tokenctl = [os.path.join(bin_dir, "tokenctl"), "--server", "unix:" + path]
            for number, (what, (chunks, tokens)) in enumerate(INPUTS.items()):
                namespace = f"n{number}"
                used = resident_bytes_max(
                    tokenctl + ["import", "--namespace", namespace, "--table", "api_token",
                                "--columns", COLUMNS, "-"], chunks())
                counted = int(subprocess.run(tokenctl + ["count", "-n", namespace], check=True,
                                             stdin=subprocess.DEVNULL,
                                             stdout=subprocess.PIPE).stdout)
                good = used <= RESIDENT_BYTES_MAX and counted == tokens
                failed = failed or not good
                print(f"{'ok' if good else 'FAILED'}: {what}: {used / MIB:.1f} MiB, "
                      f"{counted:,} tokens of {tokens:,}", flush=True)
        finally:
            server.terminate()
            server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
