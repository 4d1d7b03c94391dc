#!/usr/bin/env python3
"""Runs the README's tour to the letter, so that it cannot rot.

In README.md, fenced code blocks with these words after the fence belong to the tour:

    ```sh tour              typed into one shell, block after block; each must succeed
    ```sh tour background   started beside it (the server); the tour goes on once the ports it
                            opens take connections, and it is stopped at the end
    ```text tour            what the `sh tour` block before it prints, all of it; `...` stands for
                            any text on its line, a line of `...` alone for any number of lines

They run in a copy of the repository's tracked files, with the programs of BUILD_DIR in build/release,
so that `./dev run` starts the server at once. Where the system lets us, that is in a network
namespace of its own, so that the ports of the tour are free; a second tour can run beside it.

Usage: tour_test.py SOURCE_DIR BUILD_DIR [README]
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

FENCE = re.compile(r"^( *)```([a-z]+) tour( background)?[ ]*\n(.*?)^\1```[ ]*$", re.M | re.S)
PORTS = (7717, 7718)  # what tokend listens on unless told otherwise
READY_SECONDS = 60
BLOCK_SECONDS = 120


def own_network():
    """Runs this program again in a network namespace of its own, where that is allowed."""
    if os.environ.get("TOKEND_TOUR_NETWORK") == "own":
        # A new namespace's loopback is down: SIOCGIFFLAGS, then SIOCSIFFLAGS with IFF_UP.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            request = fcntl.ioctl(sock, 0x8913, struct.pack("16sH14x", b"lo", 0))
            flags = struct.unpack("16sH14x", request)[1]
            fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))
        return
    unshare = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") and subprocess.run(
            unshare + ["true"], stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
        os.environ["TOKEND_TOUR_NETWORK"] = "own"
        os.execvp(unshare[0], unshare + [sys.executable] + sys.argv)


def read_tour(path):
    """[(kind, first line number, text)], kind being "sh", "background" or "text"."""
    with open(path, encoding="utf-8") as file:
        readme = file.read()
    blocks = []
    for match in FENCE.finditer(readme):
        indent, language, background, text = match.groups()
        line = readme.count("\n", 0, match.start()) + 2
        text = re.sub("^" + indent, "", text, flags=re.M)
        if language not in ("sh", "text") or (background and language != "sh"):
            raise SystemExit(f"{path}:{line - 1}: a tour's block is sh, sh tour background, or text")
        blocks.append(("background" if background else language, line, text))
    if not any(kind == "sh" for kind, _, _ in blocks):
        raise SystemExit(f"{path} has no block marked ```sh tour")
    return blocks


def copy_tree(source, build, target):
    """The tracked files, or all of them where there is no git, with the built programs."""
    listed = subprocess.run(["git", "-C", source, "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0:
        for name in listed.stdout.decode().split("\0"):
            # A file that is tracked and deleted is not there to be copied.
            if name and os.path.exists(os.path.join(source, name)):
                os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
                shutil.copy2(os.path.join(source, name), os.path.join(target, name))
    else:
        shutil.copytree(source, target, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("build", "data", ".git"))
    os.makedirs(os.path.join(target, "build", "release"))
    os.symlink(os.path.join(build, "bin"), os.path.join(target, "build", "release", "bin"))


def wait_for_ports(process, log):
    deadline = time.monotonic() + READY_SECONDS
    waiting = set(PORTS)
    while waiting:
        if process.poll() is not None:
            raise SystemExit(f"the server of the tour ended by itself:\n{open(log).read()}")
        if time.monotonic() > deadline:
            raise SystemExit(f"nobody listens on {sorted(waiting)}:\n{open(log).read()}")
        for port in sorted(waiting):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    waiting.discard(port)
        time.sleep(0.02)


class Shell:
    """One bash for all blocks, so that variables live on. Each block's output ends with a mark."""

    MARK = "tour-block-ended"

    def __init__(self, directory, environment, scratch):
        self.block_path = os.path.join(scratch, "block.sh")
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=directory, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)

    def run(self, text):
        """(output, exit status of the first command that failed, or 0)."""
        # Sourced, so that a command cannot read the commands after it as its input. errexit would
        # end the shell; a trap keeps the first failure instead.
        with open(self.block_path, "w", encoding="utf-8") as file:
            file.write(text)
        script = (f"tour_status=0; set -E; trap 'tour_last=$?; [ $tour_status != 0 ] || "
                  f"tour_status=$tour_last' ERR\n. {self.block_path} < /dev/null\n"
                  f"trap - ERR; echo; echo {self.MARK} $tour_status\n")
        signal.signal(signal.SIGALRM, self._timed_out)
        signal.alarm(BLOCK_SECONDS)
        self.process.stdin.write(script)
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.MARK):
                signal.alarm(0)
                output = "".join(lines)
                return output.removesuffix("\n"), int(line.split()[1])
            lines.append(line)
        raise SystemExit("the tour's shell ended:\n" + "".join(lines))

    def _timed_out(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def matches(expected, output):
    """Whether the output is what is expected, `...` standing for anything."""
    pattern = ""
    for line in expected.splitlines():
        if line.strip() in ("...", "…"):
            pattern += r"(?:[^\n]*\n)*"
        else:
            parts = [re.escape(part.rstrip() if i else part)
                     for i, part in enumerate(re.split(r"\.\.\.|…", line.rstrip()))]
            pattern += r"[^\n]*".join(parts) + r"[ \t]*\n"
    return re.fullmatch(pattern, output if output.endswith("\n") or not output else output + "\n")


def main():
    own_network()
    source, build = (os.path.abspath(path) for path in sys.argv[1:3])
    readme = sys.argv[3] if len(sys.argv) > 3 else os.path.join(source, "README.md")
    blocks = read_tour(readme)
    background = []
    with tempfile.TemporaryDirectory(prefix="tokend-tour-") as scratch:
        copy = os.path.join(scratch, "tokend")
        os.mkdir(copy)
        copy_tree(source, build, copy)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("TOKEND_")}
        environment["TOKEND_BUILD"] = "skip"  # what is to be built is there
        shell = Shell(copy, environment, scratch)
        try:
            output = None
            for kind, line, text in blocks:
                if kind == "background":
                    log = os.path.join(scratch, f"background-{line}.log")
                    with open(log, "w", encoding="utf-8") as file:
                        process = subprocess.Popen(
                            ["bash", "-euo", "pipefail", "-c", text], cwd=copy, env=environment,
                            stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                            start_new_session=True)
                    background.append((process, log))
                    wait_for_ports(process, log)
                elif kind == "sh":
                    output, status = shell.run(text)
                    print(f"README.md:{line}: {text.rstrip()}\n{output}", flush=True)
                    if status != 0:
                        raise SystemExit(f"{readme}:{line}: a command failed with status {status}")
                elif output is None or not matches(text, output):
                    raise SystemExit(f"{readme}:{line}: expected\n{text}\nbut got\n{output}")
            shell.close()
        finally:
            for process, log in background:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    raise SystemExit(f"the server did not stop:\n{open(log).read()}")
    print(f"{sum(kind == 'sh' for kind, _, _ in blocks)} blocks, all as the README says")


if __name__ == "__main__":
    main()
