"""SPEC.md as a small evaluator in Python, for the conformance kit. It needs nothing but Python 3.9 or later.

It is written to be read and to be right, not to be fast: do not put it in front of hostile input.
"""

import json
import re
import unicodedata

UNKNOWN = object()  # of an identifier: nobody has looked (SPEC 3.2). None is absent.
KINDS = ["user", "integration", "credential", "configuration"]  # by their depth
ANY, EXTERNAL, EXACT = 0, 1, 2  # patterns, from the least to the most specific (SPEC 2.2)

# What each action acts on by the depth of the target (SPEC 3.3): None is invalid, otherwise it is a depth, and
# whether that is new. What is as deep as the target is the target itself.
SELF = [(0, False), (1, False), (2, False), (3, False)]
PROXY = [None, (2, False), (2, False), (3, False)]
SETTINGS = [None, (3, False), (3, False), (3, False)]
ACTS_ON = {
    "credential:write": [None, (2, True), (2, False), (3, False)],
    "config:write": [None, (3, True), (3, True), (3, False)],
    "settings:read": SETTINGS, "settings:write": SETTINGS, "metadata:read": SELF, "metadata:write": SELF,
    "proxy-api": PROXY, "events": SELF, "workflows": SETTINGS, "actionkit": [(0, False)] + PROXY[1:],
}
INCLUDES = {"settings:write": "settings:read", "metadata:write": "metadata:read"}  # SPEC 1.5

STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
WHITE_SPACE = ("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
               "\u2028\u2029\u202f\u205f\u3000")
UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


class Mistake(Exception):
    """What is wrong with a claim (SPEC 6.2)."""

    def __init__(self, kind, pointer=""):
        super().__init__(f"{kind} at {pointer!r}")
        self.kind, self.pointer = kind, pointer


def tokens(text):
    """Yields the tokens of a JSON text: brackets, ("string", s), ("number", s), True, False and None. It reads no
    further than the token, because the first mistake in the text counts (SPEC 6.2)."""
    at, stack, expect = 0, [], "value"

    def space():
        nonlocal at
        while text[at:at + 1] in (" ", "\t", "\r", "\n"):
            at += 1
        return text[at:at + 1]

    while expect != "end":
        c = space()
        if c in ("}", "]") and stack and stack[-1] == c and expect in ("next", "first"):
            stack.pop()
            at += 1
            expect = "next" if stack else "end"
            yield c
            continue
        if expect == "next":
            if c != ",":
                raise Mistake("syntax")
            at += 1
            c, expect = space(), "more"
        if expect in ("first", "more") and stack[-1] == "}":  # a name and its colon
            match = STRING.match(text, at)
            if not match:
                raise Mistake("syntax")
            at = match.end()
            yield "string", decode(match.group())
            if space() != ":":
                raise Mistake("syntax")
            at += 1
            c = space()
        if c in ("{", "["):
            stack.append("}" if c == "{" else "]")
            at += 1
            expect = "first"
            yield c
            continue
        for word, value in (("true", True), ("false", False), ("null", None)):
            if text.startswith(word, at):
                at, token = at + len(word), value
                break
        else:
            match = STRING.match(text, at) or NUMBER.match(text, at)
            if not match:
                raise Mistake("syntax")
            at = match.end()
            if c == '"':
                token = "string", decode(match.group())
            else:  # a number is judged at the character after it
                after = text[at:at + 1]
                ends = after in (" ", "\t", "\r", "\n") or after in ((",", stack[-1]) if stack else ("",))
                if not ends:
                    raise Mistake("syntax")
                token = "number", match.group()
        expect = "next" if stack else "end"
        yield token
    if space():
        raise Mistake("syntax")


def decode(string):
    return re.sub("[\ud800-\udfff]", "\ufffd", json.loads(string))  # lone surrogates (SPEC 6.2)


def good_text(s):
    """SPEC 2.4, what names and external IDs have in common."""
    return s != "" and s[0] not in WHITE_SPACE and s[-1] not in WHITE_SPACE and not any(
        c == "\ufffd" or unicodedata.category(c) == "Cc" for c in s)


def good_name(s):
    return good_text(s) and "*" not in s and s.lower() != "ext" and not s.lower().startswith("ext:")


def good_external_id(s):
    return good_text(s) and s != "*"


def parse_scope(key):
    """Returns the depth, the pattern and the name of a scope, or None (SPEC 2.3 to 2.5)."""
    kind, colon, rest = key.partition(":")
    if not colon or kind not in KINDS[1:]:
        return None
    depth = KINDS.index(kind)
    if rest == "*":
        return depth, ANY, ""
    if depth == 1:
        return (depth, EXACT, rest) if good_name(rest) else None
    if rest.startswith("ext:"):
        return (depth, EXTERNAL, rest[4:]) if good_external_id(rest[4:]) else None
    return (depth, EXACT, rest.lower()) if UUID.fullmatch(rest) else None


def parse(claim):
    """Returns the rules of a claim: pairs of a path and a grant. It raises a Mistake."""
    read, rules = tokens(claim), {}
    if next(read) != "{":
        raise Mistake("type")
    parse_map(read, rules, (), "")
    for _ in read:  # what is left can only be a syntax mistake
        pass
    return list(rules.items())


def parse_map(read, rules, holder, above):
    keys = set()
    while (token := next(read)) != "}":
        key = token[1]
        pointer = above + "/" + key.replace("~", "~0").replace("/", "~1")
        if key in keys:
            raise Mistake("duplicate", pointer)
        keys.add(key)
        scope = parse_scope(key)
        if scope is None:
            raise Mistake("scope", pointer)
        depth, pattern, name = scope
        if depth <= len(holder):
            raise Mistake("nesting", pointer)
        path = holder + ((ANY, ""),) * (depth - 1 - len(holder)) + ((pattern, name),)  # SPEC 2.7
        value = next(read)
        if value == "{":
            if depth == 3:
                raise Mistake("nesting", pointer)
            parse_map(read, rules, path, pointer)
            continue
        if value == "[":
            grant = parse_names(read, pointer)
        elif value is True or value is False:
            grant = set(ACTS_ON) if value else set()
        else:
            raise Mistake("type", pointer)
        if path in rules:
            raise Mistake("duplicate", pointer)
        rules[path] = grant


def parse_names(read, above):
    names = set()
    index = 0
    while (token := next(read)) != "]":
        pointer = f"{above}/{index}"
        if not isinstance(token, tuple) or token[0] != "string":
            raise Mistake("type", pointer)
        if token[1] not in ACTS_ON:
            raise Mistake("permission", pointer)
        names |= {token[1], INCLUDES.get(token[1], token[1])}
        index += 1
    return names


def parse_target(text):
    """Returns a target as a list: the integration's name, then [id, external ID] of the credential and of the
    configuration, as far as it goes (SPEC 3.6). It returns None for what is not a valid target (SPEC 3.4)."""
    try:
        read = tokens(text)
        identifiers = "id", "externalId"
        top = parse_members(read, {"integration": None, "credential": identifiers, "configuration": identifiers})
        for _ in read:
            pass
    except Mistake:
        return None
    if set(top) != set(KINDS[1:1 + len(top)]):  # a level without the one above it
        return None
    names = [top[kind] for kind in KINDS[1:1 + len(top)]]
    for i, level in enumerate(names):
        if i == 0 and not good_name(level):
            return None
        if i > 0:
            identifier, external = level.get("id", UNKNOWN), level.get("externalId", UNKNOWN)
            if isinstance(identifier, str):
                if not UUID.fullmatch(identifier):
                    return None
                identifier = identifier.lower()
            if isinstance(external, str) and not good_external_id(external):
                return None
            names[i] = [identifier, external]
    return names


def parse_members(read, members):
    """Reads an object. Members are strings, or objects whose members are strings or null."""
    if next(read) != "{":
        raise Mistake("type")
    values = {}
    while (token := next(read)) != "}":
        name = token[1]
        if name in values or name not in members:
            raise Mistake("type")
        if isinstance(members, dict) and members[name]:
            values[name] = parse_members(read, members[name])
            continue
        value = next(read)
        if value is None and isinstance(members, tuple):
            values[name] = None
        elif isinstance(value, tuple) and value[0] == "string":
            values[name] = value[1]
        else:
            raise Mistake("type")
    return values


def format_target(target):
    """The canonical JSON of a target (SPEC 3.6)."""
    members = {}
    for kind, level in zip(KINDS[1:], target):
        members[kind] = level if kind == "integration" else {
            k: v for k, v in zip(("id", "externalId"), level) if v is not UNKNOWN}
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False)


def matches(pattern, name, level):
    if pattern == ANY:
        return True
    if isinstance(level, list):
        return level[2 - pattern] == name  # the ID, or after it the external ID
    return level == name


def applies(path, target):
    """SPEC 4.1 and 4.2."""
    if path == ((ANY, ""),):
        return True
    return len(target) >= len(path) and all(matches(*scope, level) for scope, level in zip(path, target))


def deciding(rules, target):
    """The rule that decides, or None (SPEC 4.4, 4.5)."""
    candidates = [rule for rule in rules if applies(rule[0], target)]
    return max(candidates, key=lambda rule: (len(rule[0]), [p for p, _ in reversed(rule[0])]), default=None)


def filled(path, target):
    """The target with those unknown identifiers filled in that a path names."""
    copy = [list(level) if isinstance(level, list) else level for level in target]
    for i, (pattern, name) in enumerate(path[:len(copy)]):
        if pattern == ANY:
            continue
        if i == 0:
            copy[0] = name if copy[0] is UNKNOWN else copy[0]
        elif copy[i][2 - pattern] is UNKNOWN:
            copy[i][2 - pattern] = name
    return copy


def decide(rules, action, target):
    """Answers a question (SPEC 4). The target is None if it is invalid."""
    answer = {"allowed": False, "invalid": False, "undetermined": False, "rule": None}
    acts = ACTS_ON[action][len(target)] if target is not None and action in ACTS_ON else None
    if acts is None:  # SPEC 3.4
        return {**answer, "invalid": True}
    depth, new = acts
    asked = target + [[UNKNOWN, UNKNOWN] for _ in range(depth - len(target))]  # SPEC 4.3
    if new:
        asked[-1] = [None, UNKNOWN]
    rule = deciding(rules, asked)
    if rule is None:
        return answer
    path, grant = rule
    if action not in grant:
        return {**answer, "rule": spell(path)}
    for other in rules:  # SPEC 4.7
        if action not in other[1] and deciding(rules, filled(other[0], asked)) is other:
            return {**answer, "undetermined": True}
    return {**answer, "allowed": True, "rule": spell(path)}


def spell(path):
    """The texts of a path's scopes."""
    return [f"{kind}:{('*', 'ext:' + name, name)[pattern]}" for kind, (pattern, name) in zip(KINDS[1:], path)]


def visible(rules, target):
    """SPEC 5.1: whether something is allowed on the target, or on something below it that has what some rule
    names and nothing else."""
    if target is None:
        return False
    own = [[None if x is UNKNOWN else x for x in level] if isinstance(level, list) else level for level in target]
    for depth in range(len(target), 4):
        here = {action for action, acts in ACTS_ON.items() if acts[depth] == (depth, False)}
        below = own + [UNKNOWN if i == 0 else [UNKNOWN, UNKNOWN] for i in range(len(target), depth)]
        for path in [()] + [path for path, _ in rules]:
            rule = deciding(rules, filled(path, below))
            if rule and rule[1] & here:
                return True
    return False
