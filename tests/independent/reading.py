#!/usr/bin/env python3
"""What the registry should hold, worked out from the directory by other means.

Reads a directory with `ldapsearch` (or an LDIF file) and works out, in code that shares nothing with
Rollcall, which users, groups and flattened memberships a plain policy gives. Then compares that with
`rollcall registry export` and prints every difference.

    reading.py --ldapsearch "-x -H ldap://127.0.0.1:3890 -D cn=admin,dc=example,dc=test -w secret" \
        --base dc=example,dc=test --export registry.jsonl [--present ADDRESS…]
"""

import argparse
import base64
import collections
import json
import re
import shlex
import subprocess
import sys
import unicodedata

USERS = {"inetorgperson", "organizationalperson", "person", "posixaccount", "account"}
GROUPS = {"groupofnames", "groupofuniquenames", "posixgroup", "group"}


def records(lines):
    """LDIF content records as (dn, {attribute: [bytes]})."""
    unfolded = []
    for raw in lines:
        line = raw.rstrip(b"\r\n")
        if line.startswith(b" ") and unfolded:
            unfolded[-1] += line[1:]
        else:
            unfolded.append(line)
    record = []
    for line in unfolded + [b""]:
        if line.startswith(b"#"):
            continue
        if line:
            record.append(line)
            continue
        dn, attributes = None, collections.defaultdict(list)
        for one in record:
            name, _, value = one.partition(b":")
            name = name.decode().lower().split(";")[0]
            value = base64.b64decode(value[1:].strip()) if value.startswith(b":") else value.strip(b" ")
            if name == "dn":
                dn = value.decode()
            else:
                attributes[name].append(value)
        if dn is not None:
            yield dn, attributes
        record = []


def rdns(dn):
    """Splits at unescaped, unquoted separators: [[(type, value)…]…]."""
    result, rdn, part, i, quoted = [], [], "", 0, False
    parts = []
    while i < len(dn):
        c = dn[i]
        if c == "\\":
            part += dn[i : i + 2]
            i += 2
            continue
        if c == '"':
            quoted = not quoted
        if c in ",;" and not quoted:
            parts.append(part)
            rdn.append(parts)
            part, parts = "", []
        elif c == "+" and not quoted:
            parts.append(part)
            part = ""
        else:
            part += c
        i += 1
    parts.append(part)
    rdn.append(parts)
    for avas in rdn:
        result.append([tuple(ava.split("=", 1)) for ava in avas])
    return result


def unescape(value):
    value = re.sub(r"(?<!\\) +$", "", value.lstrip(" "))
    if value.startswith("#"):
        ber = bytes.fromhex(value[1:])
        return ber[2:].decode("utf-8", "surrogateescape")
    if len(value) > 1 and value[0] == '"' and value[-1] == '"':
        value = value[1:-1]
    out, i = b"", 0
    while i < len(value):
        if value[i] == "\\":
            if re.match(r"[0-9a-fA-F]{2}", value[i + 1 : i + 3]):
                out += bytes.fromhex(value[i + 1 : i + 3])
                i += 3
            else:
                out += value[i + 1].encode()
                i += 2
        else:
            out += value[i].encode()
            i += 1
    return out.decode("utf-8", "surrogateescape")


def normal(dn):
    """A DN in a form in which equal DNs are equal."""
    done = []
    for avas in rdns(dn):
        pairs = []
        for kind, value in avas:
            value = unicodedata.normalize("NFKC", unescape(value)).lower()
            pairs.append((kind.strip().lower(), re.sub(" +", " ", value).strip()))
        done.append(tuple(sorted(pairs)))
    return tuple(done)


def text(attributes, *names):
    for name in names:
        if attributes.get(name):
            # Values have no order.
            return min((value.decode() for value in attributes[name]), key=lambda value: (value.lower(), value))
    return ""


def expected(entries):
    """(users by name, groups by name) that a policy without scope or mapping gives."""
    bearer, kinds, attributes_of, uid = {}, {}, {}, {}
    members = collections.defaultdict(set)
    for dn, attributes in entries:
        classes = {value.decode().lower() for value in attributes["objectclass"]}
        kind = "user" if classes & USERS else "group" if classes & GROUPS else None
        if kind is None:
            continue
        me = normal(dn)
        bearer[me], kinds[me], attributes_of[me] = me, kind, attributes
        if kind == "user" and attributes.get("uid"):
            uid[attributes["uid"][0].decode().lower()] = me
        if kind == "group":
            for value in attributes["member"] + attributes["uniquemember"]:
                members[me].add(normal(re.sub(r"#'[01]*'B$", "", value.decode())))
            for value in attributes["memberuid"]:
                members[me].add(("uid", value.decode().lower()))

    def resolved(group):
        for reference in members[group]:
            if reference[0] == "uid":
                if reference[1] in uid:
                    yield uid[reference[1]]
            elif reference in bearer:
                yield reference

    def name(me):
        attributes = attributes_of[me]
        if kinds[me] == "user":
            return text(attributes, "mail", "uid")
        return text(attributes, "cn")

    taken = collections.Counter((kinds[me], name(me).lower()) for me in kinds)
    kept = {me for me in kinds if name(me) and taken[(kinds[me], name(me).lower())] == 1}
    users = {}
    for me in kept:
        if kinds[me] == "user":
            attributes = attributes_of[me]
            users[name(me)] = {
                "displayName": text(attributes, "displayname", "cn"),
                "givenName": text(attributes, "givenname"),
                "familyName": text(attributes, "sn"),
                "emails": sorted({value.decode().lower() for value in attributes["mail"]}),
            }
    groups = {}
    for me in kept:
        if kinds[me] != "group":
            continue
        seen, stack, people = {me}, [me], set()
        while stack:
            for member in resolved(stack.pop()):
                if member in seen:
                    continue
                seen.add(member)
                if kinds[member] == "group":
                    stack.append(member)
                elif member in kept:
                    people.add(name(member))
        groups[name(me)] = sorted(people)
    return users, groups


def exported(path):
    users, groups = {}, {}
    with open(path, encoding="utf-8") as lines:
        resources = [json.loads(line) for line in lines]
    names = {resource["id"]: resource["userName"] for resource in resources if "userName" in resource}
    for resource in resources:
        if "userName" in resource:
            if not resource["active"]:
                continue
            users[resource["userName"]] = {
                "displayName": resource.get("displayName", ""),
                "givenName": resource.get("name", {}).get("givenName", ""),
                "familyName": resource.get("name", {}).get("familyName", ""),
                "emails": sorted({email["value"].lower() for email in resource.get("emails", [])}),
            }
        else:
            people = [member["value"] for member in resource.get("members", [])]
            groups[resource["displayName"]] = sorted(names[person] for person in people)
    return users, groups


def differences(kind, want, have):
    for name in sorted(want.keys() | have.keys()):
        if name not in have:
            yield f"{kind} {name!r} is missing from the registry"
        elif name not in want:
            yield f"{kind} {name!r} is in the registry and should not be"
        elif want[name] != have[name]:
            if kind == "group":
                missing, extra = set(want[name]) - set(have[name]), set(have[name]) - set(want[name])
                yield f"group {name!r}: {len(missing)} missing {sorted(missing)[:3]}, {len(extra)} extra {sorted(extra)[:3]}"
            else:
                yield f"{kind} {name!r}: should be {want[name]}, is {have[name]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ldapsearch", help="connection options for ldapsearch")
    parser.add_argument("--base", help="where to search")
    parser.add_argument("--ldif", help="an LDIF file instead of a server")
    parser.add_argument("--export", required=True, help="what `rollcall registry export` printed")
    arguments = parser.parse_args()
    if arguments.ldif:
        with open(arguments.ldif, "rb") as lines:
            entries = list(records(lines))
    else:
        command = ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-b", arguments.base]
        wanted = ["objectClass", "uid", "mail", "cn", "displayName", "givenName", "sn", "member", "uniqueMember", "memberUid"]
        command += shlex.split(arguments.ldapsearch) + ["(objectClass=*)"] + wanted
        # To a file, so that a slow reader here never slows the server down into its time limit.
        run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        entries = list(records(run.stdout.splitlines(keepends=True)))
    want, have = expected(entries), exported(arguments.export)
    found = [line for kind, w, h in zip(("user", "group"), want, have) for line in differences(kind, w, h)]
    for line in found[:50]:
        print(line)
    users, groups = have
    print(
        f"{len(users)} users, {len(groups)} groups, {sum(map(len, groups.values()))} memberships in the registry, "
        f"{len(found)} differences"
    )
    sys.exit(1 if found else 0)


main()
