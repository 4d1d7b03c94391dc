"""The servers under test: started, pinned, waited for, and stopped whatever happens."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

import stats

# The name of a server and its protocol, which is what tokend-bench calls it.
PROTOCOLS = {"floor": "floor", "redis": "redis", "memcached": "memcached",
             "memcached-R200": "memcached", "nginx": "http", "nginx-gif": "http",
             "nginx-auth": "http", "tokend": "tokend"}
TITLES = {"floor": "floor (libuv, no work)", "redis": "redis-server", "memcached": "memcached",
          "memcached-R200": "memcached `-R 200`", "nginx": "nginx", "nginx-gif": "nginx, a small GIF",
          "nginx-auth": "nginx, a small GIF, asking tokend",
          "tokend": "**tokend**"}
# CPUs of the server and of the generator.
SERVER_CPU, GENERATOR_CPU = 0, 1


class Failed(Exception):
    """The benchmark cannot go on; the message says why."""


def can_pin():
    return (os.cpu_count() or 1) > 1 and shutil.which("taskset") is not None


def start_process(command, cpus, **options):
    """Popen of a command on the given CPUs (None = all) that ends when this process does, even by
    SIGKILL, and that a Ctrl-C in the terminal leaves for us to stop."""
    if can_pin():
        on = f"0-{os.cpu_count() - 1}" if cpus is None else str(cpus)
        command = ["taskset", "-c", on] + command
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "TERM"] + command
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)


def give_way(process):
    """Lets others on its CPU go first."""
    os.setpriority(os.PRIO_PROCESS, process.pid, 19)
    try:
        # Where Linux shares out among sessions first, a nice value counts within one's own alone.
        with open(f"/proc/{process.pid}/autogroup", "w", encoding="ascii") as file:
            file.write("19")
    except OSError:
        pass


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        # The name, in parentheses, may hold spaces; utime and stime are fields 14 and 15.
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def version(name):
    """What a peer says its version is."""
    program, flag = {"redis": ("redis-server", "--version"),
                     "memcached": ("memcached", "-V"), "nginx": ("nginx", "-v")}[name]
    if not shutil.which(program):
        return "?"
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    words = (done.stdout + done.stderr).replace("nginx/", "").split()
    numbers = [word for word in words if word.lstrip("v=")[:1].isdigit()]
    return numbers[0].lstrip("v=") if numbers else "?"


class Server:
    """One server: `name` is one of PROTOCOLS. Its process is `pid`.

    pin: on the server's CPU, else on all. durable: Redis answers once a write is on disk, as tokend
    always does. flags: more of tokend's or the peer's own. http: tokend speaks it, too. upstream: the
    address that nginx-auth asks.
    """

    def __init__(self, name, directory, build_dir, *, unix=False, threads=1, pin=True,
                 durable=False, flags=(), http=False, upstream=None):
        self.name = name
        self.protocol = PROTOCOLS[name]
        self.directory = directory
        self._socket_dir = None
        os.mkdir(directory)
        if unix:
            # Not below the build directory: a socket's path has room for 107 bytes.
            self._socket_dir = tempfile.TemporaryDirectory(prefix="tokend-bench-")
            self._path = os.path.join(self._socket_dir.name, "socket")
            self.address = f"unix:{self._path}"
        else:
            self._path = None
            self._port = free_port()
            self.address = f"127.0.0.1:{self._port}"
        self.http_address = f"127.0.0.1:{free_port()}" if http else "off"
        self._upstream = upstream
        command = getattr(self, f"_{self.protocol}_command")(build_dir, threads, durable)
        self._log = os.path.join(directory, "log")
        with open(self._log, "wb") as log:
            self.process = start_process(command + list(flags), SERVER_CPU if pin else None,
                                         stdout=log, stderr=log)
        self.pid = self.process.pid  # setpriv and taskset become the server
        self._stats = None

    def _floor_command(self, build_dir, _threads, _durable):
        return [os.path.join(build_dir, "bin", "floor-server"), self._path and self.address or
                str(self._port)]

    def _redis_command(self, _build_dir, _threads, durable):
        listen = (["--port", "0", "--unixsocket", self._path] if self._path else
                  ["--bind", "127.0.0.1", "--port", str(self._port)])
        log = (["--appendonly", "yes", "--appendfsync", "always"] if durable else
               ["--appendonly", "no"])
        return ["redis-server", "--save", "", "--dir", self.directory] + log + listen

    def _memcached_command(self, _build_dir, _threads, _durable):
        listen = (["-s", self._path] if self._path else
                  ["-l", "127.0.0.1", "-p", str(self._port), "-U", "0"])
        requests = ["-R", "200"] if self.name == "memcached-R200" else []
        root = ["-u", "root"] if os.geteuid() == 0 else []
        return ["memcached", "-t", "1", "-m", "16384", "-c", "1024"] + requests + listen + root

    def _http_command(self, _build_dir, _threads, _durable):
        """nginx in one process. Modules' directories are its own, as others may be root's."""
        ask = ("" if self._upstream is None else f"""
            upstream tokend {{ server {self._upstream}; keepalive 64; keepalive_requests 1000000000; }}""")
        # `return` answers before auth_request would ask; the GIF, of 43 bytes in memory, afterwards.
        answer = {"nginx": "location / { return 200; }", "nginx-gif": "location / { empty_gif; }",
                  "nginx-auth": """
                location = /_tokend {
                    internal;
                    proxy_pass http://tokend/auth;
                    proxy_http_version 1.1;
                    proxy_set_header Connection "";
                    proxy_pass_request_body off;
                    proxy_set_header Content-Length "";
                }
                location / { auth_request /_tokend; empty_gif; }"""}[self.name]
        temp = " ".join(f"{kind}_temp_path {kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path = os.path.join(self.directory, "nginx.conf")
        user = "user root;" if os.geteuid() == 0 else ""
        with open(path, "w", encoding="ascii") as file:
            file.write(f"""{user} daemon off; master_process off; pid nginx.pid; error_log stderr;
                events {{ worker_connections 1024; }}
                http {{ access_log off; keepalive_requests 1000000000; {temp} {ask}
                    server {{ listen {self.address}; {answer} }} }}""")
        return ["nginx", "-e", "stderr", "-p", self.directory, "-c", path]

    def _tokend_command(self, build_dir, threads, _durable):
        listen = (["--listen", "off", "--unix", self._path] if self._path else
                  ["--listen", self.address, "--unix", "off"])
        return [os.path.join(build_dir, "bin", "tokend"), "--threads", str(threads), "--http",
                self.http_address,
                "--data-dir", os.path.join(self.directory, "data")] + listen

    def log_text(self):
        with open(self._log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self._path:
                    with socket.socket(socket.AF_UNIX) as sock:
                        sock.connect(self._path)
                else:
                    socket.create_connection(("127.0.0.1", self._port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.name} did not start:\n{self.log_text()}")

    def pin(self):
        """Moves a server that was started on all CPUs to its own: loading is quicker on all."""
        if can_pin():
            subprocess.run(["taskset", "-acp", str(SERVER_CPU), str(self.pid)], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stats(self):
        """tokend's stats; the number of items of a peer."""
        if self._stats is None:
            self._stats = (stats.Tokend(self.address) if self.protocol == "tokend" else
                           stats.Peer(self.protocol, self.address))
        return self._stats.ask()

    def cpu_seconds(self):
        return cpu_seconds(self.pid)

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_resident_bytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        raise Failed(f"the kernel does not tell the peak memory of {self.name}")

    def settle(self, seconds_max=120):
        """Waits until tokend rests: flushes and compactions of what was loaded are over."""
        if self.protocol != "tokend":
            return  # the peers do their work at once
        deadline = time.monotonic() + seconds_max
        calm, before = 0, self.cpu_seconds()
        while calm < 4 and time.monotonic() < deadline:
            time.sleep(0.25)
            now = self.cpu_seconds()
            calm = calm + 1 if now - before < 0.015 else 0
            before = now

    def stop(self):
        """Ends the process; raises if a tokend did not end as it should."""
        if self._stats is not None:
            self._stats.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self._socket_dir is not None:
            self._socket_dir.cleanup()
        # A sanitizer says by the exit status what it found; a peer may end by the signal.
        status, text = self.process.returncode, self.log_text()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.name == "tokend" and status != 0:
            raise Failed(f"tokend ended with status {status}:\n{text}")


class Fleet:
    """The servers of one section; leaving the `with` block stops what runs."""

    def __init__(self, build_dir, scratch):
        self.build_dir = build_dir
        self._scratch = scratch
        self._running = []
        self._started = 0
        self.names = set()  # of all that were ever started

    def start(self, name, **options):
        self._started += 1
        self.names.add(name)
        directory = os.path.join(self._scratch, f"{self._started}-{name}")
        server = Server(name, directory, self.build_dir, **options)
        self._running.append(server)
        server.wait_until_ready()
        return server

    def stop(self, server):
        self._running.remove(server)
        server.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        failure = None
        while self._running:
            try:
                self.stop(self._running[-1])
            except Failed as error:
                failure = error
        # What stopped the section is the news, not that a server minded being stopped.
        if failure and kind is None:
            raise failure
