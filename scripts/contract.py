"""What schemathesis is told beside a service's OpenAPI document: who asks, which records there are, and what came of it.

CONTRACT names a JSON file: `token`, or `sign_in` (an address and a body) where sessions end by what is asked; `known`, values of path
parameters and of members of bodies that name something, by name or by path and name; `seen`, the file into which the statuses of each operation are written.
"""

import atexit
import collections
import itertools
import json
import os
import urllib.request
import uuid

import schemathesis

with open(os.environ["CONTRACT"], encoding="utf-8") as file:
    SAYS = json.load(file)

seen = collections.defaultdict(collections.Counter)
calls = itertools.count(1)
token = SAYS.get("token")


def sign_in():
    body = json.dumps(SAYS["sign_in"]["body"]).encode()
    request = urllib.request.Request(SAYS["sign_in"]["url"], body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["token"]


if token or "sign_in" in SAYS:

    @schemathesis.auth(refresh_interval=None)
    class Bearer:
        def get(self, case, context):
            global token
            if token is None:
                token = sign_in()
            return token

        def set(self, case, data, context):
            case.headers["Authorization"] = f"Bearer {data}"


def is_id(value):
    try:
        return str(uuid.UUID(value)) == value.lower()
    except (AttributeError, TypeError, ValueError):
        return False


def put_known(number, path, members):
    """Every second id or secret is one that there is; what is no id, or no text, stays what it is."""
    for key, values in SAYS["known"].items() if number % 2 and isinstance(members, dict) else ():
        place, _, name = key.rpartition(" ")
        if place not in ("", path):
            continue
        given = members.get(name)
        if is_id(given) if is_id(values[0]) else isinstance(given, str):
            members[name] = values[number // 2 % len(values)]


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(calls)
    put_known(number, case.path, case.path_parameters)
    put_known(number, case.path, case.body)
    # Each asks from a network of its own, so that limits of addresses do not answer for the routes behind them.
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@schemathesis.hook
def after_call(context, case, response):
    global token
    seen[case.operation.label][response.status_code] += 1
    used = (response.request.headers.get("Authorization") or "").removeprefix("Bearer ")
    if response.status_code == 401 and used == token and "sign_in" in SAYS:
        token = None


@atexit.register
def write():
    with open(SAYS["seen"], "w", encoding="utf-8") as file:
        json.dump(seen, file, indent=1, sort_keys=True)
