#!/usr/bin/env python3
"""The Debian package: installed, started as the unit starts it, upgraded, removed and purged, with dpkg.

It happens in namespaces of its own, on a layer over the machine's files that is gone with the test, and
with no network but its own loopback; the machine keeps nothing of it. Exit code 77 is for: not here.

Usage: package_test.py BUILD_DIR
"""

import contextlib
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

SKIP = 77
PATIENCE_SECONDS = 60
TOOLS = ("cpack", "dpkg", "dpkg-deb", "dpkg-shlibdeps", "deb-systemd-helper", "adduser", "systemd-analyze", "unshare",
         "setpriv")
SOCKET = "unix:/run/tokend/tokend.sock"
TOKEN = b"a-token-of-the-package-test-0123456789"


def run(*command, check=True, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS,
                          stdin=None if "input" in more else subprocess.DEVNULL, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def skip(why):
    print("skipped:", why)
    sys.exit(SKIP)


def enter_namespaces():
    """Runs this program again where nothing that it mounts or listens on is seen by others."""
    if os.geteuid() != 0:
        skip("dpkg takes root")
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip("not installed: " + ", ".join(missing))
    if run("dpkg-query", "-W", "tokend", check=False).returncode == 0 or os.path.exists("/usr/bin/tokend"):
        skip("a tokend is installed on this machine")
    with tempfile.TemporaryDirectory(prefix="tokend-package-") as scratch:
        unshare = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child")
        mounts = f"mount -t tmpfs none {scratch} && cd {scratch} && mkdir up work root && " \
                 "mount -t overlay -o lowerdir=/,upperdir=up,workdir=work none root"
        if run(*unshare, "sh", "-c", mounts, check=False).returncode != 0:
            skip("no namespaces, or no overlay file system")
        return subprocess.run([*unshare, sys.executable, "-B", *sys.argv],
                              env={**os.environ, "PACKAGE_TEST_SCRATCH": scratch}, check=False).returncode


def raise_loopback():
    with socket.socket() as sock:
        get_flags, set_flags, up = 0x8913, 0x8914, 1
        flags = struct.unpack("16sh", fcntl.ioctl(sock, get_flags, struct.pack("16sh", b"lo", 0)))[1]
        fcntl.ioctl(sock, set_flags, struct.pack("16sh", b"lo", flags | up))


def build_packages(directory):
    """The package as it is built, and one of a later version with another default configuration."""
    run("cpack", "--config", os.path.join(sys.argv[1], "CPackConfig.cmake"), "-B", directory)
    (package,) = glob.glob(directory + "/*.deb")
    later = os.path.join(directory, "later")
    run("dpkg-deb", "-R", package, later)
    with open(later + "/DEBIAN/control", encoding="utf-8") as file:
        control = file.read()
    with open(later + "/DEBIAN/control", "w", encoding="utf-8") as file:
        file.write(re.sub(r"^Version: .*", "Version: 99.0", control, flags=re.M))
    with open(later + "/etc/tokend/tokend.toml", "a", encoding="utf-8") as file:
        file.write("\n# of the later version\n")
    run("dpkg-deb", "--root-owner-group", "-b", later, later + ".deb")
    return package, later + ".deb"


class Machine:
    """The machine's files with a layer over them; commands run in there."""

    def __init__(self, scratch, packages):
        self.scratch = scratch
        run("mount", "-t", "tmpfs", "none", scratch)
        self.up, self.root = os.path.join(scratch, "up"), os.path.join(scratch, "root")
        for name in ("up", "work", "root"):
            os.mkdir(os.path.join(scratch, name))
        run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={self.up},workdir={scratch}/work", "none", self.root)
        # As the unit has it: ProtectProc=invisible, ProcSubset=pid.
        run("mount", "-t", "proc", "-o", "hidepid=invisible,subset=pid", "proc", self.root + "/proc")
        run("mount", "--rbind", "/dev", self.root + "/dev")
        for name in ("run", "tmp"):
            run("mount", "-t", "tmpfs", "none", f"{self.root}/{name}")
        for name, package in zip(("first.deb", "later.deb"), packages):
            shutil.copy(package, f"{self.root}/tmp/{name}")

    def close(self):
        run("umount", "-R", "--lazy", self.scratch)

    def run(self, *command, check=True, user=None, groups=(), **more):
        return run(*self.command(*command, user=user, groups=groups), check=check, **more)

    def command(self, *command, user=None, groups=()):
        chroot = ["chroot", self.root]
        if user is None:
            return [*chroot, *command]
        # No capability, and none to be had: as CapabilityBoundingSet= and NoNewPrivileges=.
        groups = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
        return [*chroot, "setpriv", "--reuid", user, "--regid", self.group_of(user), *groups, "--bounding-set=-all",
                "--inh-caps=-all", "--no-new-privs", *command]

    def group_of(self, user):
        return self.run("id", "-g", user).stdout.strip()

    def path(self, path):
        return self.root + path

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as file:
            return file.read()

    def dpkg(self, *args):
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return self.run("dpkg", *args, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": path})

    def left_of_it(self):
        """What is there under its name and was not before, but for dpkg's books and logs."""
        found = []
        for directory, names, files in os.walk(self.up):
            inside = directory[len(self.up):] + "/"
            if inside.startswith(("/var/lib/dpkg/", "/var/log/")):
                continue
            found += [inside + name for name in names + files
                      if "token" in name and not stat.S_ISCHR(os.lstat(os.path.join(directory, name)).st_mode)]
        return sorted(found)


class Tokend:
    """The installed server, started as the installed unit says."""

    def __init__(self, machine):
        self.machine = machine
        unit = machine.read("/lib/systemd/system/tokend.service")
        (command,) = re.findall(r"^ExecStart=(.*)$", unit, re.M)
        (user,) = re.findall(r"^User=(.*)$", unit, re.M)
        (umask,) = re.findall(r"^UMask=(.*)$", unit, re.M)
        (mode,) = re.findall(r"^RuntimeDirectoryMode=(.*)$", unit, re.M)
        machine.run("install", "-d", "-o", user, "-g", user, "-m", mode, "/run/tokend")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(PATIENCE_SECONDS)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(machine.path("/run/notify"))
        self.manager.bind(machine.path("/run/notify"))
        os.chmod(machine.path("/run/notify"), 0o777)
        with open(machine.path("/tmp/log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                machine.command(*command.split(), user=user), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                umask=int(umask, 8), env={**os.environ, "NOTIFY_SOCKET": "/run/notify"})
        while self.manager.recv(4096) != b"READY=1":
            pass

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.manager.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class PackageTest(unittest.TestCase):
    def setUp(self):
        self.machine = Machine(SCRATCH, PACKAGES)
        self.addCleanup(self.machine.close)

    def install(self, name="first.deb", *options):
        self.machine.dpkg("-i", *options, "/tmp/" + name)

    def edit_config(self):
        with open(self.machine.path("/etc/tokend/tokend.toml"), "a", encoding="utf-8") as file:
            file.write('log_level = "debug"\n')
        return self.machine.read("/etc/tokend/tokend.toml")

    def tokenctl(self, *args, **more):
        return self.machine.run("/usr/bin/tokenctl", "--server", SOCKET, *args, **more)

    def test_installed_it_is_enabled_and_its_unit_is_sound(self):
        self.install()
        state = os.stat(self.machine.path("/var/lib/tokend"))
        owner = [int(self.machine.run("id", "-" + which, "tokend").stdout) for which in "ug"]
        self.assertEqual([state.st_uid, state.st_gid, stat.S_IMODE(state.st_mode)], [*owner, 0o700])
        self.assertEqual(
            os.readlink(self.machine.path("/etc/systemd/system/multi-user.target.wants/tokend.service")),
            "/lib/systemd/system/tokend.service")
        verified = self.machine.run("systemd-analyze", "verify", "/lib/systemd/system/tokend.service")
        self.assertEqual(verified.stdout + verified.stderr, "")
        # In tenths: 2.0 of 10.
        self.machine.run("systemd-analyze", "security", "--offline=true", "--threshold=20",
                         "/lib/systemd/system/tokend.service")
        self.machine.run("bash", "-n", "/usr/share/bash-completion/completions/tokenctl")

    def test_it_serves_as_its_unit_starts_it(self):
        self.install()
        with Tokend(self.machine) as server:
            self.tokenctl("ping")
            self.tokenctl("ping", user="nobody", groups=["tokend"])
            refused = self.tokenctl("ping", user="nobody", check=False)
            self.assertEqual(refused.returncode, 1, refused.stdout + refused.stderr)
            self.machine.run("/usr/bin/tokenctl", "ping", user="nobody")  # on loopback
            self.tokenctl("backup")
            self.assertEqual(server.stop(), 0)
        log = self.machine.read("/tmp/log")
        self.assertNotRegex(log, " (warning|error) ")
        for directory, _, files in os.walk(self.machine.path("/var/lib/tokend")):
            for name in files:
                self.assertEqual(os.stat(os.path.join(directory, name)).st_mode & 0o077, 0, name)

    def test_an_upgrade_keeps_the_tokens_and_what_was_configured(self):
        self.install()
        edited = self.edit_config()
        with Tokend(self.machine) as server:
            self.tokenctl("insert", "-", "--owner", "alice", input=TOKEN.decode())
            self.assertEqual(server.stop(), 0)
        self.install("later.deb", "--force-confold")
        self.assertEqual(self.machine.run("dpkg-query", "-W", "-f", "${Version}", "tokend").stdout, "99.0")
        self.assertEqual(self.machine.read("/etc/tokend/tokend.toml"), edited)
        self.assertIn("of the later version", self.machine.read("/etc/tokend/tokend.toml.dpkg-dist"))
        with Tokend(self.machine) as server:
            self.assertIn("alice", self.tokenctl("validate", "-", input=TOKEN.decode()).stdout)
            self.assertEqual(server.stop(), 0)

    def test_a_backup_is_restored(self):
        self.install()
        data, before = "/var/lib/tokend", "/var/lib/tokend-db.before"
        with Tokend(self.machine) as server:
            self.tokenctl("insert", "-", "--owner", "alice", input=TOKEN.decode())
            self.tokenctl("backup")
            self.tokenctl("revoke", "-", input=TOKEN.decode())
            self.assertEqual(server.stop(), 0)
        self.machine.run("mv", data + "/db", before)
        self.machine.run("tokenctl", "restore", data + "/backup", "--data-dir", data, user="tokend")
        with Tokend(self.machine) as server:
            self.assertIn("alice", self.tokenctl("validate", "-", input=TOKEN.decode()).stdout)
            self.assertEqual(server.stop(), 0)

    def test_an_upgrade_replaces_a_configuration_that_nobody_changed(self):
        self.install()
        self.install("later.deb")
        self.assertIn("of the later version", self.machine.read("/etc/tokend/tokend.toml"))

    def test_an_upgrade_leaves_it_disabled_where_it_is(self):
        self.install()
        self.machine.run("systemctl", "disable", "tokend.service")
        self.install("later.deb")
        self.assertFalse(os.path.lexists(
            self.machine.path("/etc/systemd/system/multi-user.target.wants/tokend.service")))

    def test_where_systemd_runs_it_is_asked(self):
        # What the scripts ask of systemd, which does not run here.
        os.makedirs(self.machine.path("/run/systemd/system"))
        for name in ("systemctl", "deb-systemd-invoke"):
            stub = self.machine.path("/usr/local/sbin/" + name)
            with open(stub, "w", encoding="utf-8") as file:
                file.write('#!/bin/sh\necho "$(basename "$0") $*" >> /tmp/asked\n')
            os.chmod(stub, 0o755)
        reload_units = "systemctl --system daemon-reload"
        for action, asked in ((self.install, [reload_units, "deb-systemd-invoke start tokend.service"]),
                              (lambda: self.install("later.deb"),
                               [reload_units, reload_units, "deb-systemd-invoke restart tokend.service"]),
                              (lambda: self.machine.dpkg("-r", "tokend"),
                               ["deb-systemd-invoke stop tokend.service", reload_units])):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.machine.path("/tmp/asked"))
            action()
            # deb-systemd-helper asks in its own way for more.
            self.assertEqual([line for line in self.machine.read("/tmp/asked").splitlines()
                              if line == reload_units or line.startswith("deb-systemd-invoke")], asked)

    def test_removed_it_keeps_what_purged_it_does_not(self):
        self.install()
        edited = self.edit_config()
        with Tokend(self.machine) as server:
            self.tokenctl("insert", "-", "--owner", "alice", input=TOKEN.decode())
            self.assertEqual(server.stop(), 0)
        audit = self.machine.path("/var/log/tokend/audit.jsonl")
        with open(audit, "w", encoding="ascii") as file:
            file.write("{}\n")
        self.machine.dpkg("-r", "tokend")
        self.assertTrue(os.path.exists(audit))
        self.assertIn("/var/log/tokend/audit.jsonl {", self.machine.read("/etc/logrotate.d/tokend"))
        self.assertFalse(os.path.exists(self.machine.path("/usr/bin/tokend")))
        mask = self.machine.path("/etc/systemd/system/tokend.service")
        self.assertEqual(os.readlink(mask), "/dev/null")
        self.install()
        self.assertFalse(os.path.lexists(mask))
        self.assertEqual(self.machine.read("/etc/tokend/tokend.toml"), edited)
        with Tokend(self.machine) as server:
            self.assertIn("alice", self.tokenctl("validate", "-", input=TOKEN.decode()).stdout)
            self.assertEqual(server.stop(), 0)

        self.machine.dpkg("-P", "tokend")
        self.assertEqual(self.machine.left_of_it(), [])
        self.assertFalse(os.path.exists(os.path.dirname(audit)))
        self.assertFalse(os.path.exists(self.machine.path("/etc/logrotate.d/tokend")))
        # Its number is not to become somebody else's who could read what tokend has left elsewhere.
        self.machine.run("id", "tokend")


if __name__ == "__main__":
    if "PACKAGE_TEST_SCRATCH" not in os.environ:
        sys.exit(enter_namespaces())
    SCRATCH = os.environ["PACKAGE_TEST_SCRATCH"]
    raise_loopback()
    with tempfile.TemporaryDirectory(prefix="tokend-package-") as package_directory:
        PACKAGES = build_packages(package_directory)
        unittest.main(argv=sys.argv[:1], verbosity=2)
