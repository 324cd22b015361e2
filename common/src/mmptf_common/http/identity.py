"""The identity, roles and scopes of callers, and what a route asks of them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

from fastapi import Depends, Request, params

from mmptf_common.process.logs import subject_hash
from mmptf_common.wire.problem_codes import ProblemCode
from mmptf_common.wire.problems import Forbidden, Unauthorized

if TYPE_CHECKING:
    from mmptf_common.http.tokens import Verifier

ADMIN = "admin"
"""The scope that includes every other scope and every role."""

LONGEST_TOKEN = 8_192


@dataclass(frozen=True, slots=True)
class Identity:
    """The holder of a verified token.

    subject: the caller's id at the identity provider (`sub`)
    organization: the code of the organization for which the caller acts, in capitals, as codes of organizations are;
        None where the token has none
    roles: as in the token; a service uses only those that it defines
    """

    subject: str
    organization: str | None
    roles: frozenset[str]
    scopes: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether the token has the scope admin, which includes every other scope and every role."""
        return ADMIN in self.scopes

    def has_role(self, role: str) -> bool:
        """Whether the token has this role, or the scope admin."""
        return role in self.roles or self.is_admin

    def may(self, scope: str) -> bool:
        """Whether the token has this scope, or the scope admin."""
        return scope in self.scopes or self.is_admin


# FastAPI resolves postponed annotations in the globals of a function, which a callable instance does not have: this
# module does not postpone its annotations.
@dataclass(frozen=True, slots=True)
class Access:
    """The access to a route, stated in its function's signature: any one of these scopes; without scopes, public.

    roles: any one of them is needed too, where there are any; people: who has them, in words
    """

    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    people: str = ""

    async def __call__(self, request: Request) -> Identity:
        """Return the identity of the request's verified token, on whose subject the request is counted.

        Raises Unauthorized, Forbidden, TooManyRequests, ServiceUnavailable.
        """
        verifier: Verifier | None = request.app.state.verifier
        if verifier is None:
            raise Forbidden(
                "This needs an access token, and no identity provider is configured here.",
                code=ProblemCode.IDENTITY_NOT_CONFIGURED,
            )
        who = await verifier.identity(_sent_token(request))
        request.state.subject = subject_hash(who.subject)
        if limits := getattr(request.app.state, "rate_limits", None):
            limits.count_subject(request.scope, who.subject)
        if not any(who.may(scope) for scope in self.scopes):
            needed = " or ".join(repr(scope) for scope in self.scopes)
            raise Forbidden(
                f"The access token does not carry the scope {needed}, which this needs.",
                code=ProblemCode.INSUFFICIENT_SCOPE,
                headers={
                    "WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(self.scopes)}"',
                },
            )
        if self.roles and not any(who.has_role(role) for role in self.roles):
            raise Forbidden(f"This is for {self.people}.")
        return who


def require_scope(scope: str, *others: str) -> Any:
    """A dependency that verifies the token before the function is called, and requires any one of these scopes."""
    return Depends(Access((scope, *others)))


PUBLIC = Access()
# A marker only: a public route does not verify anything.
PublicRequest = Annotated[Request, PUBLIC]

Administrator = Annotated[Identity, require_scope(ADMIN)]


def organization_of(who: Identity) -> str:
    """The organization for which the caller writes; raises Forbidden where the token has none."""
    if who.organization is None:
        raise Forbidden("The access token names no organization to write for.", code=ProblemCode.ORGANIZATION_NOT_KNOWN)
    return who.organization


def access_of(endpoint: Callable[..., Any]) -> Access | None:
    """The access that the signature of a route's function states; None where it states none.

    Raises ValueError where it states several.
    """
    stated = []
    for hint in get_type_hints(endpoint, include_extras=True).values():
        for extra in getattr(hint, "__metadata__", ()):
            marker = extra.dependency if isinstance(extra, params.Depends) else extra
            if isinstance(marker, Access):
                stated.append(marker)
    if len(stated) > 1:
        raise ValueError(f"{endpoint.__name__} states its access {len(stated)} times")
    return stated[0] if stated else None


def _sent_token(request: Request) -> str:
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        raise invalid_token("The Authorization header is sent more than once.")
    scheme, _, token = (sent[0] if sent else "").strip(" ").partition(" ")
    token = token.strip(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized("This needs an access token: Authorization: Bearer <token>.", code=ProblemCode.TOKEN_MISSING)
    if len(token) > LONGEST_TOKEN:
        raise invalid_token(f"The access token is longer than {LONGEST_TOKEN} characters.")
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
        raise invalid_token("What follows Bearer is no access token.")
    return token


def invalid_token(detail: str, code: ProblemCode = ProblemCode.TOKEN_INVALID) -> Unauthorized:
    """The 401 for a token that was sent and is not accepted, with the reason in its challenge."""
    # RFC 6750 allows printable ASCII in a description, without the quotation mark and the backslash.
    described = re.sub(r"[^ !#-\[\]-~]", "?", detail)
    challenge = f'{Unauthorized.headers["WWW-Authenticate"]}, error="invalid_token", error_description="{described}"'
    return Unauthorized(detail, code=code, headers={"WWW-Authenticate": challenge})
