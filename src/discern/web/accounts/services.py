"""Decides who a caller is: keys made, looked up and revoked; sign-in; the demo account."""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from django.contrib.auth import authenticate, get_user_model, login
from django.db import DatabaseError, connection, transaction
from django.db.models import Model, Q
from django.db.models.base import ModelState
from django.http import HttpRequest
from django.utils import timezone

from discern.errors import InvalidInput, NotFound, TooLarge
from discern.web.accounts.models import ApiKey

if TYPE_CHECKING:
    from discern.web.accounts.models import User

log = logging.getLogger(__name__)

KEY_MARK: Final = "dk_"
MAX_KEY_CHARS: Final = 80
MAX_KEYS: Final = 50
"""The most keys one person may hold that are not revoked."""

LAST_USED_EVERY: Final = timedelta(seconds=60)
"""``last_used_at`` is written at most this often: a key's every request must not be a write."""

KEPT_S: Final = 30.0
MOST_KEPT: Final = 10_000

DEMO_USERNAME: Final = "demo"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made; ``secret`` is the only copy of the text the caller sends."""

    key: ApiKey
    secret: str


def create_key(*, owner: User, name: str, expires_at: datetime | None = None) -> NewKey:
    """Makes a key for ``owner``.

    The secret holds 256 random bits, so its plain SHA-256 is safe to store and quick to look up:
    slow hashes protect guessable passwords, and this cannot be guessed.

    Raises:
        InvalidInput: a blank name, or an expiry in the past.
        TooLarge: the owner holds :data:`MAX_KEYS` keys already.
    """
    name = name.strip()
    if not name:
        raise InvalidInput("'name' is blank.", field="name")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidInput("'expires_at' must lie in the future.", field="expires_at")
    prefix = KEY_MARK + secrets.token_hex(4)
    secret = f"{prefix}_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        if owner.api_keys.filter(revoked_at=None).count() >= MAX_KEYS:
            raise TooLarge(
                f"You hold {MAX_KEYS} keys, the most allowed; revoke one first.", limit=MAX_KEYS
            )
        key = ApiKey.objects.create(
            owner=owner, name=name, prefix=prefix, digest=_digest(secret), expires_at=expires_at
        )
    return NewKey(key=key, secret=secret)


def create_key_for(*, username: str, name: str, expires_at: datetime | None = None) -> NewKey:
    """Makes a key for the person of that name; what ``discern key create`` calls.

    Raises:
        NotFound: nobody has that name. Otherwise as :func:`create_key`.
    """
    return create_key(owner=account_named(username), name=name, expires_at=expires_at)


def make_service(*, username: str) -> User:
    """The service account of that name, made if there is none: staff, so that a host application's
    key may act for any of its people, and without a password, so that nobody signs in as it.

    Raises:
        InvalidInput: no name, or that of a person.
    """
    if not username.strip():
        raise InvalidInput("'user' is blank.", field="user")
    accounts = get_user_model()
    name: dict[str, Any] = {accounts.USERNAME_FIELD: username.strip()[:150]}
    user, made = accounts.objects.get_or_create(**name)
    if made:
        user.set_unusable_password()
        user.is_staff = True
        user.save()
    elif user.has_usable_password():
        raise InvalidInput(f"{username!r} is a person's account.", field="user")
    return user


def account_named(username: str) -> User:
    """One account by what it signs in with; NotFound when nobody has that name."""
    accounts = get_user_model()
    found = accounts.objects.filter(**{accounts.USERNAME_FIELD: username}).first()
    if found is None:
        raise NotFound(f"There is no account named {username!r}.", field="username")
    return found


def find_key(secret: str) -> ApiKey | None:
    """The usable key of this secret with its owner, or None: unknown, revoked, expired, or its
    owner is not active.

    A key lately seen is kept in memory, but each request asks the database, with one indexed
    query, whether it still stands: a revocation holds from the next request on in every process.
    Only what else a key and its owner say may be :data:`KEPT_S` seconds old.
    """
    if not secret.startswith(KEY_MARK) or len(secret) > MAX_KEY_CHARS:
        return None
    digest = _digest(secret)
    if not _stands(digest):
        return None
    key = _kept.get(digest) or _keep(digest)
    if key is None:
        return None
    now = timezone.now()
    if key.expires_at is not None and key.expires_at <= now:
        return None
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_EVERY:
        _note_use(key, now)
    return key


_STANDS: Final = (
    "SELECT 1 FROM accounts_apikey k JOIN {table} u ON u.{pk} = k.owner_id "
    "WHERE k.digest = %s AND k.revoked_at IS NULL{active}"
)


@lru_cache(maxsize=1)
def _stands_query() -> str:
    of_user = get_user_model()._meta
    columns = {field.name: connection.ops.quote_name(str(field.column)) for field in of_user.fields}
    table, pk = connection.ops.quote_name(of_user.db_table), columns[of_user.pk.name]
    active = f" AND u.{columns['is_active']}" if "is_active" in columns else ""
    return _STANDS.format(table=table, pk=pk, active=active)


def _stands(digest: str) -> bool:
    # Written out because the ORM takes ten times as long to compose it as SQLite to answer.
    with connection.cursor() as cursor:
        cursor.execute(_stands_query(), [digest])
        return cursor.fetchone() is not None


def _keep(digest: str) -> ApiKey | None:
    key = ApiKey.objects.select_related("owner").filter(digest=digest).first()
    if key is not None:
        _kept.put(digest, key)
    return key


class _KeptKeys:
    """Keys lately used in this process; each caller gets copies that are its own to change."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, ApiKey]] = {}

    def get(self, digest: str) -> ApiKey | None:
        since, key = self._found.get(digest, (0.0, None))
        if key is None or time.monotonic() - since > KEPT_S:
            return None
        own = _copied(key)
        own.owner = _copied(key.owner)
        return own

    def put(self, digest: str, key: ApiKey) -> None:
        if len(self._found) >= MOST_KEPT:
            self._found.clear()
        self._found[digest] = (time.monotonic(), key)

    def drop(self, digest: str) -> None:
        self._found.pop(digest, None)


_kept = _KeptKeys()

R = TypeVar("R", bound=Model)


def _copied(row: R) -> R:
    # copy.copy() goes the way of pickling, which takes five times as long.
    own = row.__class__.__new__(row.__class__)
    own.__dict__.update(row.__dict__)
    own._state = ModelState()
    own._state.db, own._state.adding = row._state.db, False
    return own


def _note_use(key: ApiKey, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    _kept.drop(key.digest)
    try:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    except DatabaseError:  # bookkeeping must not refuse a good key
        log.warning("Could not note the use of key %s.", key.prefix, exc_info=True)


def revoke_key(*, owner: User, key_id: UUID) -> None:
    """Ends a key for good; ending it again changes nothing.

    Raises:
        NotFound: ``owner`` has no such key.
    """
    if not owner.api_keys.filter(pk=key_id).exists():
        raise NotFound("You have no such key.")
    owner.api_keys.filter(pk=key_id, revoked_at=None).update(revoked_at=timezone.now())


def sign_in(request: HttpRequest, *, username: str, password: str) -> User | None:
    """Starts a session, or returns None when name and password do not belong together."""
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, get_user_model()):
        return None
    login(request, user)
    return user


def make_demo(*, home: Path) -> tuple[str, str]:
    """Makes or mends the demo account; returns its name and password.

    The password is random, made once and kept in ``home``: a site that is put on a public address
    by mistake has no password that everybody knows.
    """
    path = home / "demo_password"
    try:
        password = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        password = secrets.token_urlsafe(9)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password + "\n")
    user, _ = get_user_model().objects.get_or_create(username=DEMO_USERNAME)
    if not (user.is_active and user.is_staff and user.check_password(password)):
        user.is_active = True
        user.is_staff = True  # who runs a demo tries what those who run a site do
        user.set_password(password)
        user.save()
    return DEMO_USERNAME, password


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
