"""Three endpoints of the user service in FastAPI with asyncpg, for the benchmark: a read by id, a list, a change of one's own profile.

The same SQL under the same policies, the same claims and the same check of the token; what the service does beyond that (problems in two
languages, metrics, traces, ended sessions, versions to match) is left out here. It is given what makes it faster: uvloop and httptools,
statements that asyncpg has prepared, no reset of a connection that only ever held local settings, no access log, and a memory of tokens
whose signature held, as the service has one.
"""

import base64
import json
import os
import time
import urllib.request
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Annotated
from uuid import UUID, uuid4

import asyncpg
import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

ISSUER, AUDIENCE = os.environ["BENCH_ISSUER"], os.environ["BENCH_AUDIENCE"]
MOST_COUNTED = 10_000

IDENTITY = """SELECT set_config('role', $1, true), set_config('request.jwt.claims', $2, true),
    set_config('statement_timeout', '5000', true)"""

ONE = """SELECT user_id, organization_id, first_name, last_name, email, roles, status, source_id, created_at, updated_at,
    sort_key, xmin::text AS version FROM users.members WHERE organization_id = $1 AND user_id = $2"""

STUDENTS = """WITH counted AS (
        SELECT count(*) AS total FROM (
            SELECT FROM unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
                SELECT FROM users.members m
                WHERE m.organization_id = $1 AND m.status = s.status AND 'student' = ANY (m.roles)
                ORDER BY m.sort_key, m.user_id LIMIT $7
            ) AS of_status LIMIT $7
        ) AS few
    ), page AS (
        SELECT of_status.* FROM unnest($2::text[]) AS s (status) CROSS JOIN LATERAL (
            SELECT m.user_id, m.organization_id, m.first_name, m.last_name, m.email, m.roles, m.status, m.source_id,
                m.created_at, m.updated_at, m.sort_key
            FROM users.members m
            WHERE m.organization_id = $1 AND m.status = s.status AND (m.sort_key, m.user_id) > ($3, $4)
                AND 'student' = ANY (m.roles)
            ORDER BY m.sort_key, m.user_id LIMIT $5::int8 + $6::int8
        ) AS of_status
        ORDER BY sort_key, user_id LIMIT $5::int8 OFFSET $6::int8
    )
    SELECT counted.total, page.* FROM counted LEFT JOIN page ON true ORDER BY page.sort_key, page.user_id"""

AVATAR = """UPDATE users.user_profiles SET avatar_url = $2 WHERE user_id = $1
    RETURNING first_name, last_name, phone, date_of_birth, gender, avatar_url, xmin::text AS version"""


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class User(Camel):
    id: UUID
    organization_id: UUID
    first_name: str
    last_name: str
    email: str | None
    roles: list[str]
    status: str
    source_id: str | None
    created_at: datetime | None
    updated_at: datetime | None


class Users(Camel):
    items: list[User]
    total: int
    total_is_exact: bool
    next: str | None


class Avatar(Camel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    avatar_url: str | None


class Profile(Camel):
    first_name: str
    last_name: str
    phone: str | None
    date_of_birth: date | None
    gender: str | None
    avatar_url: str | None


@asynccontextmanager
async def lifespan(app):
    with urllib.request.urlopen(os.environ["BENCH_KEYS"]) as answer:
        app.state.keys = {key["kid"]: jwt.PyJWK(key).key for key in json.load(answer)["keys"]}

    async def nothing(_connection):
        pass
    app.state.pool = await asyncpg.create_pool(
        os.environ["BENCH_DATABASE"], min_size=1, max_size=int(os.environ["BENCH_POOL"]), reset=nothing,
        server_settings={"role": "app_user", "search_path": "pg_catalog"})
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan)
believed = {}


def believe(keys, token):
    """What a token says whose signature holds and which is for us."""
    head = jwt.get_unverified_header(token)
    if head.get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("another type")
    return jwt.decode(token, keys[head["kid"]], algorithms=["EdDSA"], issuer=ISSUER, audience=AUDIENCE, leeway=30,
                      options={"require": ["exp", "iat", "nbf", "sub", "sid"]})


async def caller(request: Request, authorization: Annotated[str, Header()] = ""):
    """Whom the token names, if it is believed."""
    scheme, _, token = authorization.partition(" ")
    who = believed.get(token)
    if who is None and scheme.lower() == "bearer":
        try:
            who = believed[token] = believe(request.app.state.keys, token)
        except (jwt.InvalidTokenError, KeyError) as error:
            raise HTTPException(401) from error
    if who is None or who["exp"] + 30 <= time.time():
        raise HTTPException(401)
    return who


@asynccontextmanager
async def transaction(request, who, readonly):
    claims = {"sub": who["sub"], "org": who["org"], "role": who["role"], "sid": who["sid"], "rid": str(uuid4())}
    async with request.app.state.pool.acquire() as connection:
        async with connection.transaction(isolation="read_committed", readonly=readonly):
            await connection.fetchrow(IDENTITY, "app_user", json.dumps(claims))
            yield connection


Caller = Annotated[dict, Depends(caller)]


def user(row):
    return User(id=row["user_id"], organization_id=row["organization_id"], first_name=row["first_name"], last_name=row["last_name"],
                email=row["email"], roles=row["roles"], status=row["status"], source_id=row["source_id"], created_at=row["created_at"],
                updated_at=row["updated_at"])


@app.get("/api/users")
async def students(request: Request, who: Caller, role: str, status: str, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Users:
    if role != "student" or status not in ("active", "invited", "inactive", "deleted"):
        raise HTTPException(400)
    async with transaction(request, who, True) as connection:
        rows = await connection.fetch(STUDENTS, UUID(who["org"]), [status], "", UUID(int=0), limit + 1, 0, MOST_COUNTED + 1)
    counted = rows[0]["total"]
    found = [row for row in rows if row["user_id"] is not None]
    shown = found[:limit]
    cursor = None
    if len(found) > limit:
        key = json.dumps([shown[-1]["sort_key"], str(shown[-1]["user_id"]), counted])
        cursor = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    return Users(items=[user(row) for row in shown], total=min(counted, MOST_COUNTED), total_is_exact=counted <= MOST_COUNTED, next=cursor)


@app.get("/api/users/{id}")
async def one(request: Request, response: Response, who: Caller, id: UUID) -> User:
    async with transaction(request, who, True) as connection:
        row = await connection.fetchrow(ONE, UUID(who["org"]), id)
    if row is None:
        raise HTTPException(404)
    response.headers["etag"] = f'"{row["version"]}"'
    return user(row)


@app.patch("/api/users/{id}/profile/avatar")
async def avatar(request: Request, response: Response, who: Caller, id: UUID, body: Avatar) -> Profile:
    if body.avatar_url is not None and not body.avatar_url.startswith(("https://", "/api/files/")):
        raise HTTPException(422)
    async with transaction(request, who, False) as connection:
        row = await connection.fetchrow(AVATAR, id, body.avatar_url)
    if row is None:
        raise HTTPException(404)
    response.headers["etag"] = f'"{row["version"]}"'
    return Profile(first_name=row["first_name"], last_name=row["last_name"], phone=row["phone"], date_of_birth=row["date_of_birth"],
                   gender=row["gender"], avatar_url=row["avatar_url"])
