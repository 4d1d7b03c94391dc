"""docs/performance.md: the machine, and sections that a benchmark writes anew.

What stands outside of the sections' marks is left as it is.
"""

import os
import platform
import re
import subprocess

import figures

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = os.path.join(ROOT, "docs", "performance.md")
PICTURES = os.path.join(ROOT, "docs", "img")

HEAD = """# Performance

Each section below is written by the command that it names. `./dev bench` runs all of them but the
restart, on two CPUs in about an hour and a half; `./dev bench NAME` runs one, `./dev bench --quick`
takes a look at all in five minutes and writes nothing here. What counts is the server's CPU time per
operation: it is steady from run to run where throughput on a shared machine is not.
"""

# The order of the sections on the page.
SECTIONS = ("bars", "validate", "unix", "many", "scale", "usage", "mix", "insert", "storm",
            "growth", "backup", "import", "gateway", "tls", "latency", "loops", "restart")


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
    if _output("git", "-C", ROOT, "status", "--porcelain", "-uno", "--", ":!docs"):
        commit += " with changes"
    return (f"{os.cpu_count()} CPUs of {cpu}, {memory_gib:.0f} GiB, {system}, "
            f"Linux {platform.release()}; tokend at {commit}")


def _marks(name):
    return f"<!-- {name}: written by the command below -->", f"<!-- {name}: end -->"


def with_section(page, name, text):
    """The page with `text` between the marks of section `name`: where it was, or in its order."""
    begin, end = _marks(name)
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in page:
        return re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _: section, page, flags=re.S)
    for later in SECTIONS[SECTIONS.index(name) + 1:]:
        mark = _marks(later)[0]
        if mark in page:
            return page.replace(mark, section + "\n\n" + mark)
    return page.rstrip() + "\n\n" + section + "\n"


def bars_summary(page):
    """The tables of bars of all sections of a page, as one."""
    lines = [figures.BARS_HEAD, "|---|--:|--:|---|"]
    for name in SECTIONS[1:]:
        begin, end = _marks(name)
        match = re.search(re.escape(begin) + ".*?" + re.escape(end), page, re.S)
        text = match.group(0) if match else ""
        if figures.BARS_HEAD not in text:
            continue
        rows = text.split(figures.BARS_HEAD, 1)[1].strip().split("\n\n", 1)[0].split("\n")[1:]
        lines += [row.replace("| ", f"| `{name}`: ", 1) for row in rows]
    if len(lines) == 2:
        return ""
    return ("## The bars\n\nEach is explained in its section. What is measured as a ratio is taken "
            "round by round.\n\n" + "\n".join(lines))


def write_section(name, text):
    """Writes one section of the page, and the summary of all bars anew."""
    try:
        with open(PATH, encoding="utf-8") as file:
            page = file.read()
    except FileNotFoundError:
        page = HEAD
    page = with_section(page, name, text)
    summary = bars_summary(page)
    if summary:
        page = with_section(page, "bars", summary)
    os.makedirs(os.path.dirname(PATH), exist_ok=True)
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(page)
    print(f"written: {os.path.relpath(PATH)}, section {name}")


def write_picture(name, svg, directory=PICTURES):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".svg")
    with open(path, "w", encoding="utf-8") as file:
        file.write(svg)
    print(f"written: {os.path.relpath(path)}")
