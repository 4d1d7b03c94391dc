"""What the servers say of themselves: tokend's `stats`, and the number of items that a peer holds.

One connection is kept, so that asking often costs the server next to nothing.
"""

import math
import socket
import struct
import threading
import time


class Broken(Exception):
    """The server hung up, or said what cannot be read."""


def _connect(address):
    if address.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(address[len("unix:"):])
        return sock
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)))


_UNSIGNED = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q", 0xd0: ">b", 0xd1: ">h", 0xd2: ">i",
             0xd3: ">q", 0xca: ">f", 0xcb: ">d"}
_COUNTED = {0xd9: (">B", "str"), 0xda: (">H", "str"), 0xdb: (">I", "str"), 0xc4: (">B", "bin"),
            0xc5: (">H", "bin"), 0xc6: (">I", "bin"), 0xdc: (">H", "array"), 0xdd: (">I", "array"),
            0xde: (">H", "map"), 0xdf: (">I", "map")}


def decode(data, at=0):
    """(value, where it ends) of the MessagePack at `at`; IndexError or struct.error if cut off."""
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    if first >= 0xe0:
        return first - 0x100, at
    if first in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[first], at
    if first in _UNSIGNED:
        form = _UNSIGNED[first]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if first < 0x90:
        count, kind = first & 0x0f, "map"
    elif first < 0xa0:
        count, kind = first & 0x0f, "array"
    elif first < 0xc0:
        count, kind = first & 0x1f, "str"
    elif first in _COUNTED:
        form, kind = _COUNTED[first]
        count = struct.unpack_from(form, data, at)[0]
        at += struct.calcsize(form)
    else:
        raise Broken(f"MessagePack of type 0x{first:02x} is not expected here")
    if kind in ("str", "bin"):
        if at + count > len(data):
            raise IndexError
        value = bytes(data[at:at + count])
        return (value.decode() if kind == "str" else value), at + count
    values = []
    for _ in range(count if kind == "array" else 2 * count):
        value, at = decode(data, at)
        values.append(value)
    return (values if kind == "array" else dict(zip(values[::2], values[1::2]))), at


class Tokend:
    """Asks a tokend for its `stats`, or whatever else has no parameters."""

    def __init__(self, address):
        self._socket = _connect(address)

    def ask(self, method="stats"):
        name = method.encode()
        self._socket.sendall(b"\x94\x00\x01" + bytes([0xA0 + len(name)]) + name + b"\x90")
        received = b""
        while True:
            part = self._socket.recv(65536)
            if not part:
                raise Broken("tokend hung up")
            received += part
            try:
                answer, _ = decode(received)
                break
            except (IndexError, struct.error):
                continue
        if answer[2] is not None:
            raise Broken(f"{method}: {answer[2]}")
        return answer[3]

    def close(self):
        self._socket.close()


class Peer:
    """Asks Redis or memcached how many items it holds."""

    def __init__(self, kind, address):
        self._request, self._read = {
            "redis": (b"DBSIZE\r\n", self._redis), "memcached": (b"stats\r\n", self._memcached)}[kind]
        self._socket = _connect(address)
        self._file = self._socket.makefile("rb")

    def _redis(self):
        return int(self._file.readline().strip().lstrip(b":"))

    def _memcached(self):
        items = None
        for line in self._file:
            if line.strip() == b"END":
                return items
            name, value = line.split()[1:3]
            if name == b"curr_items":
                items = int(value)
        raise Broken("memcached hung up")

    def ask(self):
        self._socket.sendall(self._request)
        return self._read()

    def close(self):
        self._file.close()
        self._socket.close()


class Poller(threading.Thread):
    """Calls `ask` every so many seconds: `samples` is a list of (Unix seconds, answer)."""

    def __init__(self, ask, interval):
        super().__init__(daemon=True)
        self._ask = ask
        self._interval = interval
        self._stopped = threading.Event()
        self.samples = []
        self.error = None

    def run(self):
        try:
            while not self._stopped.wait(self._interval):
                answer = self._ask()
                self.samples.append((time.time(), answer))
        except (Broken, OSError, ValueError) as error:
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self.join()
        if self.error:
            raise self.error


def _turns(stats):
    """{upper bound in µs: turns of the loops up to it}; None if the server does not tell."""
    told = stats.get("loop_turns")
    return told and {float(bound): count for bound, count in told.items()}


def turns_above(before, after, microseconds):
    """How many turns between two `stats` took more CPU time than one of the bounds that they are
    counted by; None if the server does not tell."""
    first, last = _turns(before), _turns(after)
    if not last:
        return None
    return (last[math.inf] - first[math.inf]) - (last[microseconds] - first[microseconds])


def turns_within(before, after):
    """The bound in µs that no turn between two `stats` exceeded; None if the server does not tell."""
    last = _turns(after)
    return last and min(bound for bound in last if not turns_above(before, after, bound))


def requests_per_turn(before, after):
    """Of all loops between two `stats`; None if the server does not tell."""
    first, last = _turns(before), _turns(after)
    if not last:
        return None
    return (after["requests_total"] - before["requests_total"]) / (last[math.inf] - first[math.inf])
