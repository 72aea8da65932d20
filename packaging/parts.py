"""What a build consists of, out of `cargo metadata` and Cargo.lock. Fetches nothing.

parts.py sbom CRATE FILE    writes the parts of a crate as CycloneDX 1.5 JSON
parts.py licences           checks the licences of everything shipped against deny.toml
"""

import json
import pathlib
import re
import subprocess
import sys
import tomllib

# The crates that are shipped; tests and their tools are not.
SHIPPED = ("provisioning-service", "gateway")


def metadata():
    def said(*command):
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    host = re.search(r"^host: (\S+)$", said("rustc", "-vV"), flags=re.M)[1]
    return json.loads(
        said("cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", host)
    )


def parts(data, name):
    """The package and everything that is built into it here: normal and build dependencies."""
    packages = {package["id"]: package for package in data["packages"]}
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    members = (packages[i] for i in data["workspace_members"])
    root = next((p for p in members if p["name"] == name), None)
    if root is None:
        sys.exit(f"there is no crate {name} in the workspace")
    seen, edges, todo = {}, {}, [root["id"]]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen[here] = packages[here]
        edges[here] = [
            dependency["pkg"]
            for dependency in nodes[here]["deps"]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        ]
        todo += edges[here]
    return root, seen, edges


def url(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def native(package):
    """The library in C that a crate brings, or links from the system; None if there is none."""
    here = pathlib.Path(package["manifest_path"]).parent
    match package["name"]:
        case "paho-mqtt-sys":
            numbers = (here / "paho.mqtt.c" / f"version.{n}" for n in ("major", "minor", "patch"))
            version = ".".join(number.read_text().strip() for number in numbers)
            found = {
                "name": "paho.mqtt.c",
                "purl": f"pkg:github/eclipse-paho/paho.mqtt.c@v{version}",
                "licenses": [{"expression": "EPL-2.0 OR BSD-3-Clause"}],
                "description": "compiled in",
            }
        case "openssl-sys":
            asked = ["pkg-config", "--modversion", "openssl"]
            said = subprocess.run(asked, check=True, stdout=subprocess.PIPE, text=True)
            version = said.stdout.strip()
            found = {
                "name": "openssl",
                "purl": f"pkg:generic/openssl@{version}",
                "cpe": f"cpe:2.3:a:openssl:openssl:{version}:*:*:*:*:*:*:*",
                "licenses": [{"expression": "Apache-2.0"}],
                "description": "linked from the system: this is the one it was built with",
            }
        case name:
            if package["links"]:
                sys.exit(f"{name} links {package['links']}: parts.py does not know what that is")
            return None
    return {"type": "library", "bom-ref": found["purl"], "version": version, **found}


def sbom(name, path):
    data = metadata()
    root, packages, edges = parts(data, name)
    lock = tomllib.loads(pathlib.Path("Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}

    def component(package, kind="library"):
        entry = {
            "type": kind,
            "bom-ref": url(package),
            "name": package["name"],
            "version": package["version"],
            "purl": url(package),
        }
        if package["license"]:
            entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = checksums.get((package["name"], package["version"]))
        if checksum:
            entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return entry

    others = sorted((p for i, p in packages.items() if i != root["id"]), key=url)
    natives = {i: part for i, package in packages.items() if (part := native(package))}
    kind = "application" if any("bin" in t["kind"] for t in root["targets"]) else "library"
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, kind)},
        "components": [component(package) for package in others] + list(natives.values()),
        "dependencies": [
            {
                "ref": url(packages[i]),
                "dependsOn": sorted(
                    {url(packages[to]) for to in edges[i]}
                    | ({natives[i]["bom-ref"]} if i in natives else set())
                ),
            }
            for i in sorted(packages, key=lambda i: url(packages[i]))
        ],
    }
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{path}: {name} and {len(others) + len(natives)} parts")


def allowed(expression, licences):
    """Whether an SPDX expression can be met by these licences."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        result = both()
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            result = both() or result
        return result

    def both():
        result = one()
        while tokens[:1] == ["AND"]:
            tokens.pop(0)
            result = one() and result
        return result

    def one():
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        if tokens[:1] == ["WITH"]:
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in licences

    return either()


def licences():
    policy = tomllib.loads(pathlib.Path("deny.toml").read_text())["licenses"]
    data = metadata()
    packages = {}
    for name in SHIPPED:
        packages |= parts(data, name)[1]
    exceptions = {e["crate"]: e["allow"] for e in policy.get("exceptions", [])}
    bad = [
        f"{package['name']} {package['version']}: {package['license']}"
        for package in packages.values()
        if not allowed(
            package["license"] or "none", policy["allow"] + exceptions.get(package["name"], [])
        )
    ]
    for line in sorted(bad):
        print(f"deny.toml does not allow {line}")
    print(f"{len(packages)} parts, {len(bad)} with a licence that is not allowed")
    sys.exit(bool(bad))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["sbom", name, path]:
            sbom(name, path)
        case ["licences"]:
            licences()
        case _:
            sys.exit(__doc__)
