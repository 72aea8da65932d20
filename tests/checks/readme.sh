#!/usr/bin/env bash
# Holds README.md to the project: readme.sh [--write]
#
# - between `<!-- file: PATH -->` and `<!-- end -->` stands that file (which tests compile), word
#   for word; --write copies it there
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
text = readme.read_text()
problems = []
languages = {".rs": "rust", ".c": "c", ".toml": "toml", ".sh": "sh", ".py": "python"}


def block(match):
    path = pathlib.Path(match[1])
    if not path.is_file():
        problems.append(f"there is no {path}")
        return match[0]
    language = languages.get(path.suffix, "")
    return f"<!-- file: {path} -->\n```{language}\n{path.read_text().rstrip()}\n```\n<!-- end -->"


now = re.sub(r"<!-- file: (\S+) -->.*?<!-- end -->", block, text, flags=re.S)
if now != text:
    if "--write" in sys.argv:
        readme.write_text(now)
        text = now
    else:
        problems.append("an example differs from its file; `make readme` copies them anew")

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
