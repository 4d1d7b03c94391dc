"""docs/performance.md: the machine, and sections that a benchmark writes anew."""

import os
import platform
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.path.join(ROOT, "docs", "performance.md")

HEAD = """# Performance

Each section below is written by the command that it names, from one run. What counts is the server's
CPU time per answer: it is steady from run to run where throughput on a shared machine is not.
"""


def _first(pattern, path):
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.M)
    return match.group(1) if match else "?"


def _output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "?"


def machine():
    """One line on what this ran on."""
    cpu = _first(r"^model name\s*: (.*)$", "/proc/cpuinfo")
    memory_gib = int(_first(r"^MemTotal:\s*(\d+)", "/proc/meminfo")) / 2**20
    system = _first(r'^PRETTY_NAME="(.*)"$', "/etc/os-release")
    commit = _output("git", "-C", ROOT, "rev-parse", "--short", "HEAD")
    if _output("git", "-C", ROOT, "status", "--porcelain", "-uno"):
        commit += " with changes"
    return (f"{os.cpu_count()} CPUs of {cpu}, {memory_gib:.0f} GiB, {system}, "
            f"Linux {platform.release()}; tokend at {commit}")


def package_version(package):
    return _output("dpkg-query", "-W", "-f", "${Version}", package)


def write_section(name, text):
    """Puts `text` between the marks of section `name`, at the end if it is new."""
    begin, end = f"<!-- {name}: written by the command below -->", f"<!-- {name}: end -->"
    try:
        with open(PATH, encoding="utf-8") as file:
            page = file.read()
    except FileNotFoundError:
        page = HEAD
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        page = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: section, page, flags=re.S)
    else:
        page = page.rstrip() + "\n\n" + section + "\n"
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(page)
    print(f"written: {os.path.relpath(PATH)}, section {name}")
