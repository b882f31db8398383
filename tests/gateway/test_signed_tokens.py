"""Signed tokens: what is taken, what is refused and in which words, and where the issuer's keys come from."""

import asyncio
import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa

from agents.gateway.problems import Kind, Problem
from agents.gateway.signed.keys import KeySetError, fetched, usable
from agents.gateway.signed.settings import OidcSettings
from agents.gateway.signed.tokens import signed_tokens
from agents.issuer import IssuerError, opened, public_keys, rotated, signed
from agents.settings import SettingsError
from tests.gateway.conftest import CASE, TOKENS, running
from tests.gateway.signing import AUDIENCE, ISSUER, PRIVATE, SETTINGS, Issuer, claims, public, token

NOW = int(time.time())
OPEN = {"case": CASE, "system": "up-1076", "status": "open", "registered_at": 5, "district": 159, "department": "water"}


def unsigned(header: dict, body: dict) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (header, body)]
    return ".".join([*parts, "AAAA"])


async def refusal(given: str, issuer: Issuer | None = None) -> Problem:
    with pytest.raises(Problem) as told:
        await (issuer or Issuer("RS256", "ES256", "EdDSA")).tokens().caller(given)
    return told.value


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_token_gives_its_role_and_scope(algorithm):
    given = token(
        algorithm, systems=["up-1076"], districts=[159, 161], office="water:district-officer@159", sees=["police"]
    )
    caller = await Issuer("RS256", "ES256", "EdDSA").tokens().caller(given)
    assert (caller.role, caller.officer, caller.office) == ("officer", "o-77", "water:district-officer@159")
    assert (caller.systems, caller.districts, caller.sees) == ({"up-1076"}, {159, 161}, {"officer", "police"})
    assert caller.expires_at == jwt.decode(given, options={"verify_signature": False})["exp"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exp": NOW - 60}, "has expired"),
        ({"nbf": NOW + 7200}, "not valid yet"),
        ({"iat": NOW + 7200}, "not valid yet"),
        ({"aud": "another"}, "another audience"),
        ({"iss": "https://another.example"}, "another issuer"),
        ({"exp": None}, "claim exp is missing"),
        ({"aud": None}, "claim aud is missing"),
        ({"iss": None}, "claim iss is missing"),
        ({"iat": None}, "claim iat is missing"),
        ({"sub": None}, "claim sub is missing"),
        ({"role": None}, "claim role names none"),
        ({"role": "root"}, "claim role names none"),
        ({"role": ["officer", "support"]}, "more than one"),
        ({"officer": None}, "claim officer is missing"),
        ({"officer": "9876543210"}, "claim officer cannot be taken"),
        ({"districts": "159"}, "claim districts cannot be taken"),
        ({"districts": []}, "claim districts names something"),
        ({"districts": [999_998]}, "claim districts names something"),
        ({"systems": ["up-1067"]}, "claim systems names something"),
        ({"department": "watr"}, "claim department names something"),
        ({"office": "water:nobody@159"}, "claim office names something"),
        ({"sees": ["polise"]}, "claim sees names something"),
        ({"role": "district-administrator"}, "claim districts is missing"),
        ({"role": "department-head"}, "claim department is missing"),
        ({"role": "support", "sees": ["police"]}, "claim sees is not for the role support"),
        ({"role": "citizen", "districts": [159]}, "claim districts is not for the role citizen"),
    ],
    # without the instants among them: processes that share the tests out must call them the same
    ids=lambda part: "+".join(part) if isinstance(part, dict) else part,
)  # fmt: skip
async def test_what_is_wrong_is_named_and_nothing_of_the_token_repeated(changes, said):
    given = token(**changes)
    problem = await refusal(given)
    assert said in problem.detail
    response = problem.response()
    assert response.headers["WWW-Authenticate"].startswith('Bearer realm="nivaran", error="invalid_token", error_descr')
    shown = response.headers["WWW-Authenticate"] + response.body.decode()
    assert not any(part in shown for part in (*given.split("."), "9876543210", "another.example", "polise", "watr"))


@pytest.mark.parametrize("ahead_s", [600, -10])
async def test_clocks_may_differ_by_the_leeway(ahead_s):
    assert (await Issuer("EdDSA").tokens().caller(token(exp=int(time.time()) + ahead_s))).role == "officer"


async def test_no_signature_and_no_shared_secret_are_taken():
    secret = b"a secret that both sides could hold"
    for given in (
        unsigned({"alg": "none", "kid": "EdDSA"}, claims()),
        unsigned({"alg": "HS256", "kid": "EdDSA"}, claims()),
        jwt.encode(claims(), secret, algorithm="HS256", headers={"kid": "EdDSA"}),
    ):
        assert "must be signed by" in (await refusal(given)).detail
    assert "in another way" in (await refusal(token("RS256", kid="EdDSA"))).detail
    changed = token().split(".")
    changed[1] = token(officer="o-78").split(".")[1]
    assert "not that of the issuer" in (await refusal(".".join(changed))).detail
    assert "cannot be read" in (await refusal("a.b.c")).detail


async def test_a_role_may_be_named_by_the_issuers_own_word_deep_in_a_claim():
    told = SETTINGS.__class__(
        oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys="k",
        oidc_role_claim="realm_access.roles", oidc_roles="helpline-dm=district-administrator",
    )  # fmt: skip
    given = token(role=None, officer=None, districts=[159], realm_access={"roles": ["offline_access", "helpline-dm"]})
    assert (await Issuer("EdDSA").tokens(told).caller(given)).role == "district-administrator"


async def test_a_key_that_is_not_known_is_asked_for_once_a_minute():
    issuer = Issuer("EdDSA")
    tokens = issuer.tokens()
    assert (await tokens.caller(token())).role == "officer"
    issuer.now += 30
    for _ in range(3):
        with pytest.raises(Problem, match="UNAUTHENTICATED"):
            await tokens.caller(token("ES256"))
    assert issuer.asked == 1
    issuer.raw, issuer.now = public("ES256", "EdDSA"), issuer.now + 31
    assert (await tokens.caller(token("ES256"))).role == "officer"
    assert issuer.asked == 2


@pytest.mark.parametrize("how", ["away", "no set"])
async def test_the_last_good_keys_stay(how):
    issuer = Issuer("EdDSA")
    tokens = issuer.tokens()
    await tokens.caller(token())
    issuer.up, issuer.raw, issuer.now = how != "away", b'{"keys": []}', issuer.now + 301
    assert (await tokens.caller(token())).role == "officer"
    await asyncio.gather(*(each for each in asyncio.all_tasks() if each.get_name() == "issuer-keys"))
    assert issuer.asked == 2
    assert (await tokens.caller(token())).role == "officer"


async def test_while_no_keys_were_ever_had_it_is_503():
    issuer = Issuer("EdDSA")
    issuer.up = False
    assert (await refusal(token(), issuer)).kind is Kind.UNAVAILABLE


async def test_a_set_is_read_over_http_within_bounds():
    async def answer(request: web.Request) -> web.Response:
        match request.path:
            case "/keys":
                return web.Response(body=public("EdDSA"))
            case "/large":
                return web.Response(body=b" " * 300_000)
            case _:
                raise web.HTTPFound("/keys")

    app = web.Application()
    app.router.add_get("/{name}", answer)
    async with TestServer(app) as server:
        assert set(usable(await fetched(str(server.make_url("/keys"))))) == {"EdDSA"}
        for path, said in (("/large", "more than"), ("/moved", "answered 302")):
            with pytest.raises(KeySetError, match=said):
                await fetched(str(server.make_url(path)))


def test_of_a_set_only_public_keys_of_the_algorithms_are_used():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    found = json.loads(public("EdDSA"))
    found["keys"] += [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(weak)), "kid": "weak"},
        {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(PRIVATE["EdDSA"])), "kid": "private"},
        {**found["keys"][0], "kid": "seals", "use": "enc"}, {"kty": "EC", "crv": "P-384", "kid": "other"}, 7,
    ]  # fmt: skip
    assert set(usable(json.dumps(found).encode())) == {"EdDSA"}
    for raw in (b"no json", b'"\xff"', b"[]", b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}'):
        with pytest.raises(KeySetError):
            usable(raw)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"oidc_audience": ""}, "NIVARAN_OIDC_AUDIENCE is not set"),
        ({"oidc_keys": ""}, "NIVARAN_OIDC_KEYS is not set"),
        ({"oidc_issuer": ""}, "NIVARAN_OIDC_ISSUER is not set"),
        ({"oidc_keys": "http://issuer.example/keys"}, "must be https"),
        ({"oidc_keys": "/nowhere/keys.json"}, "NIVARAN_OIDC_KEYS: No such file"),
        ({"oidc_keys": "https://issuer.example/keys", "oidc_roles": "dm=chief"}, "NIVARAN_OIDC_ROLES"),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_hold_are_refused_at_start(changes, said):
    usual = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_keys": "keys.json"}
    with pytest.raises(SettingsError, match=said):
        signed_tokens(OidcSettings(**(usual | changes)))
    assert signed_tokens(OidcSettings()) is None


async def test_both_kinds_of_token_open_the_api_and_one_that_is_unknown_is_told_so():
    async with running(signed=Issuer("EdDSA").tokens()) as gateway:
        gateway.board.cases[CASE] = OPEN
        for given, status in ((token(), 200), (TOKENS["officer"], 200), (token(aud="other"), 401), ("x" * 20, 401)):
            found, _, headers = await gateway.get(f"/v1/cases/{CASE}", role=None, Authorization=f"Bearer {given}")
            assert found == status
            assert ('error="invalid_token"' in headers.get("WWW-Authenticate", "")) == (status == 401)
        _, _, headers = await gateway.get(f"/v1/cases/{CASE}", role=None)
        assert headers["WWW-Authenticate"] == 'Bearer realm="nivaran"'


async def test_the_local_issuers_tokens_hold_over_one_rotation(tmp_path: Path):
    path, given = tmp_path / "issuer.json", []
    issuer = Issuer()
    for _ in range(3):
        held = rotated(path)
        given.append(signed(held, claims()))
    assert path.stat().st_mode & 0o777 == 0o600
    published = public_keys(opened(path))
    assert len(published["keys"]) == 2
    assert not any("d" in key for key in published["keys"])
    issuer.raw = json.dumps(published).encode()
    tokens = issuer.tokens()
    assert "does not publish" in (await refusal(given[0], issuer)).detail
    assert [(await tokens.caller(each)).role for each in given[1:]] == ["officer", "officer"]
    path.chmod(0o640)
    with pytest.raises(IssuerError, match="others may read it"):
        opened(path)
