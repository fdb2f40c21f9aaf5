"""Seeds faults into the evaluators, one after the other, and requires that the runners report each.

    python3 faults.py python       needs nothing else
    python3 faults.py typescript   needs npm ci, and npx tsc -p typescript

A conformance kit that never reports anything would pass every evaluator.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent

# For each language: what the fault is, the text that is replaced, and the text that replaces it. Each text is in
# the evaluator once.
FAULTS = {
    "python": [
        ("an external ID is as specific as an ID", "[p for p, _ in reversed(rule[0])]",
         "[p > 0 for p, _ in reversed(rule[0])]"),
        ("an unknown identifier never denies (SPEC 4.7)", 'return {**answer, "undetermined": True}', "break"),
        ("settings:write does not include settings:read", '"settings:write": "settings:read", ', ""),
        ("IDs compare with regard to letter case", "return (depth, EXACT, rest.lower())",
         "return (depth, EXACT, rest)"),
        ("a repeated key replaces the first one", "        if key in keys:", "        if False:"),
        ("a name may hold a star", ' and "*" not in s', ""),
        ("credential:write on an integration is about any credential", "[None, (2, True),",
         "[None, (2, False),"),
        ("pointers are not escaped", '.replace("~", "~0").replace("/", "~1")', ""),
        ("what is below a target does not make it visible", "for depth in range(len(target), 4):\n        here",
         "for depth in range(len(target), len(target) + 1):\n        here"),
        ("a number may end anywhere", "if not ends:", "if False:"),
        ("a syntax mistake hides an earlier mistake", "read, rules = tokens(claim), {}",
         "read, rules = iter(list(tokens(claim))), {}"),
    ],
    "typescript": [
        ("an external ID is as specific as an ID", "1000 + pattern * 3 ** i", "1000 + Math.min(pattern, 1) * 3 ** i"),
        ("an unknown identifier never denies (SPEC 4.7)", "if (rules.some(denies))",
         "if (rules.some(denies) && false)"),
        ("metadata:write does not include metadata:read", ', ["metadata:write", "metadata:read"]]', "]"),
        ("IDs compare with regard to letter case", "[depth, [exact, rest.toLowerCase()]]", "[depth, [exact, rest]]"),
        ("two rules may have the same path", "if (rules.has(same))", "if (rules.has(same) && false)"),
        ("an external ID may end with white space", r"|\p{White_Space}$/u", "/u"),
        ("config:write on a credential is about any configuration", "[3, true], [3, true], [3, false]]]",
         "[3, true], [3, false], [3, false]]]"),
        ("a member of a target may be repeated", " || members.has(name)", ""),
        ("credentials' rules apply to integrations", "return target.length >= path.length && path.every(",
         "return path.slice(0, target.length).every("),
        ("pointers are not escaped", '.replaceAll("~", "~0").replaceAll("/", "~1")', ""),
        ("a syntax mistake hides an earlier mistake", "const read = tokens(claim),",
         "const read = [...tokens(claim)].values(),"),
    ],
}


def run(language, source):
    """Runs the runner with an evaluator whose text is given. Returns its exit code and what it printed."""
    with tempfile.TemporaryDirectory(dir=HERE / language) as directory:
        if language == "python":
            pathlib.Path(directory, "faulty.py").write_text(source, encoding="utf-8")
            program = "import sys; sys.path.insert(0, sys.argv.pop(1)); import run; run.main()"
            command = [sys.executable, "-c", program, directory, "--evaluator", "faulty"]
        else:
            path = pathlib.Path(directory, "faulty.ts")
            path.write_text(source, encoding="utf-8")
            subprocess.run(["node", "transpile.mjs", str(path)], cwd=HERE / language, check=True)
            command = ["node", "build/run.js", str(path.with_suffix(".mjs"))]
        result = subprocess.run(command, cwd=HERE / language, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout + result.stderr


def main():
    language = sys.argv[1]
    suffix = {"python": "py", "typescript": "ts"}[language]
    source = (HERE / language / f"permissions.{suffix}").read_text(encoding="utf-8")
    code, output = run(language, source)
    if code != 0:
        sys.exit(f"the evaluator without a fault is wrong:\n{output}")
    for fault, old, new in FAULTS[language]:
        if source.count(old) != 1:
            sys.exit(f"{fault}: the evaluator has {source.count(old)} of {old!r}")
        code, output = run(language, source.replace(old, new))
        wrong = sum(int(n) for n in re.findall(r"(\d+) wrong", output))
        if code != 1 or wrong == 0:
            sys.exit(f"{language}: this fault is not reported: {fault}\n{output}")
        print(f"{language}: {fault}: {wrong} wrong")


if __name__ == "__main__":
    main()
