"""Holds a printed report against its JSON: report folder, text of the PDF, network log of the browser."""
import json
import pathlib
import re
import sys

folder, printed, net = (pathlib.Path(p) for p in sys.argv[1:4])
report = json.loads((folder / "report.json").read_text())
paper = re.sub(r"\s+", " ", printed.read_text())
failures = []
if len(report["controls"]) < 15:
    failures.append(f"only {len(report['controls'])} controls in report.json")
for control in report["controls"]:
    for what in (control["title"], control["verdict"]):
        if what not in paper:
            failures.append(f"{control['id']}: {what!r} is not on paper")
    # The query must be on paper although the page folds it away on a screen; its first line is enough to see that.
    first = re.sub(r"\s+", " ", control["sql"].strip().splitlines()[0])
    if first not in paper:
        failures.append(f"{control['id']}: its query is not on paper: {first!r}")
if str(report["snapshot"]) not in paper:
    failures.append("the snapshot is not on paper")
outside = sorted(set(re.findall(r'"url":"((?:https?|wss?)://[^"]+)"', net.read_text())))
outside = [u for u in outside if not re.match(r"https?://(localhost|127\.0\.0\.1)", u)]
own = (folder / "report.html").read_text()
named = [u for u in re.findall(r"""(?:src|href|action)\s*=\s*["']?([^"'\s>]+)""", own) if not u.startswith("#")]
if named:
    failures.append(f"the page refers to {named[:5]}")
asked = [u for u in outside if u in own]
if asked:
    failures.append(f"the page asked for {asked}")
if "default-src 'none'" not in own and "default-src &#39;none&#39;" not in own:
    failures.append("the page has no content security policy")
if failures:
    sys.exit("\n".join(failures))
pages = printed.read_text().count("\f")
print(f"the page asks for nothing outside itself and prints {len(report['controls'])} controls with verdict and query on {pages} pages")
