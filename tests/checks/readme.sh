#!/usr/bin/env bash
# Holds README.md to the project: readme.sh [--write]
#
# - the code block after `<!-- file: PATH -->` is that file, which tests compile; --write copies it
#   there, in include/README.md as well
# - every parameter of the metatype stands in the table, with its default
# - every `make TARGET` and every file it links to exists
set -euo pipefail
cd "$(dirname "$0")/../.."

python3 - "$@" <<'PYTHON'
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

readme = pathlib.Path("README.md")
problems = []


def block(match):
    marker, path, fence = match[1], pathlib.Path(match[2]), match[3]
    if not path.is_file():
        problems.append(f"there is no {path}")
        return match[0]
    return f"{marker}{fence}\n{path.read_text().rstrip()}\n```\n"


for page in (readme, pathlib.Path("include/README.md")):
    was = page.read_text() if page.is_file() else ""
    now = re.sub(r"(<!-- file: (\S+) -->\n+)(```\w*)\n.*?^```\n", block, was, flags=re.S | re.M)
    if now != was and "--write" in sys.argv:
        page.write_text(now)
    elif now != was:
        problems.append(f"an example in {page} differs from its file; `make readme` copies them anew")
text = readme.read_text()

rows = dict(re.findall(r"^\| `([a-z-]+)` \| \w+ \| ([^|]*?) \|", text, flags=re.M))
for ad in xml.parse("metatype/gwc.provisioning.ProvisioningService.xml").iter("AD"):
    name, default = ad.get("id"), ad.get("default", "empty")
    if rows.pop(name, "").strip("`") != default:
        problems.append(f"parameter {name}: not in the table with the default {default}")
problems += [f"parameter {name}: not in the metatype" for name in rows]

targets = set(re.findall(r"^([a-z-]+):.*## ", pathlib.Path("Makefile").read_text(), flags=re.M))
for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, flags=re.M):
    if target not in targets:
        problems.append(f"make {target}: there is no such target")
for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
    if not pathlib.Path(link).exists():
        problems.append(f"{link}: there is no such file")

for problem in problems:
    print(f"README.md: {problem}")
sys.exit(bool(problems))
PYTHON
