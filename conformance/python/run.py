"""Runs the conformance vectors against an evaluator: python3 run.py [--evaluator MODULE] [DIRECTORY].

The evaluator is a Python module with parse, Mistake, decide, visible, parse_target and format_target, such as
permissions.py beside this file. README.md describes the vectors. The exit code is 0 if nothing is wrong.
"""

import argparse
import importlib
import json
import pathlib
import sys


class Runner:
    def __init__(self, evaluator):
        self.evaluator, self.checks, self.wrong = evaluator, 0, 0

    def check(self, case, what, want, got):
        self.checks += 1
        if want != got:
            self.wrong += 1
            if self.wrong <= 10:
                print(f"{case['name']}: {what}: want {want}, got {got}")

    def claim(self, case):
        e = self.evaluator
        try:
            rules = e.parse(case["claim"])
        except e.Mistake as mistake:
            want = [case["error"], case["pointer"]] if "error" in case else "a policy"
            return self.check(case, case["claim"], want, [mistake.kind, mistake.pointer])
        if "error" in case:
            return self.check(case, case["claim"], [case["error"], case["pointer"]], "a policy")
        for query in case.get("queries", []):
            answer = e.decide(rules, query["action"], e.parse_target(json.dumps(query["target"])))
            what = f"{query['action']} on {json.dumps(query['target'])} of {case['claim']}"
            for member, default in (("allowed", False), ("rule", None), ("invalid", False), ("undetermined", False)):
                self.check(case, f"{what}: {member}", query.get(member, default), answer[member])
        for query in case.get("visible", []):
            got = e.visible(rules, e.parse_target(json.dumps(query["target"])))
            self.check(case, f"{json.dumps(query['target'])} visible with {case['claim']}", query["visible"], got)

    def target(self, case):
        target = self.evaluator.parse_target(case["target"])
        got = None if target is None else self.evaluator.format_target(target)
        self.check(case, case["target"], None if case.get("invalid") else case["canonical"], got)


def main():
    here = pathlib.Path(__file__).resolve().parent
    arguments = argparse.ArgumentParser(description="Runs the conformance vectors against an evaluator.")
    arguments.add_argument("--evaluator", default="permissions", help="a Python module")
    vectors = here.parent.parent / "testdata" / "conformance"
    arguments.add_argument("directory", nargs="?", type=pathlib.Path, default=vectors)
    given = arguments.parse_args()
    sys.path.insert(0, str(here))
    runner = Runner(importlib.import_module(given.evaluator))
    version = json.loads((here.parent / "version.json").read_text(encoding="utf-8"))
    for name, count in version["cases"].items():
        folder = here.parent if name == "order" else given.directory  # README.md says what is where
        cases = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if len(cases) != count:
            sys.exit(f"{name}.json has {len(cases)} cases, and version {version['version']} has {count}")
        before = runner.checks, runner.wrong
        for case in cases:
            (runner.target if name == "targets" else runner.claim)(case)
        print(f"{name}: {runner.checks - before[0]} checks, {runner.wrong - before[1]} wrong")
    sys.exit(1 if runner.wrong else 0)


if __name__ == "__main__":
    main()
