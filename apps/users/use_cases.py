"""Getting an account, and what its owner sees and changes of it."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from apps.chassis.auth import Principal
from apps.users import audit, domain, email_change, facts, pacing, store, throttling
from apps.users.domain import OneTimeTokenRefusedError, OperatorTokensOffError, Purpose
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.schemas import OperatorTokenForm, ProfileChange, Registration
from apps.users.tables import OneTimeToken, User

_PROOFS = (Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL_OLD, Purpose.CHANGE_EMAIL_NEW)


async def register(means: Means, form: Registration, origin: Origin) -> None:
    """Open an account and ask for proof of its address; the owner of a known address is told, and nobody else."""
    domain.refuse_own_words("password", form.password.get_secret_value(), form.email, form.name)
    async with pacing.evenly(means.settings.even_answers):
        # hashed also where the address is known, so that both take as long; and outside the transaction
        password_hash = await means.passwords.hash(form.password.get_secret_value())
        async with means.database.transaction() as tx:
            if not await _open_account(tx, form, password_hash, means.settings.verification_ttl, origin):
                await _warn_owner(tx, form.email, origin)


async def _open_account(
    tx: AsyncSession, form: Registration, password_hash: str, ttl: timedelta, origin: Origin
) -> bool:
    contact = form.model_dump(exclude={"password"})
    user_id = uuid7()
    account = {"id": user_id, "password_hash": password_hash, "roles": ["customer"], "sequence": 0, **contact}
    if not await store.add_user(tx, account):
        return False
    user = await store.get_user(tx, user_id)
    facts.registered(tx, user)
    await facts.ask_to_prove(tx, user, user.email, Purpose.VERIFY_EMAIL, ttl)
    await audit.record(tx, "registered", user.id, audit.ANYONE, origin)
    return True


async def _warn_owner(tx: AsyncSession, email: str, origin: Origin) -> None:
    """Tell the owner of a known address that somebody tried to register it, but not as often as somebody likes."""
    owner = await store.lock_user_by_email(tx, email)
    if owner and await throttling.admits(tx, throttling.mail(email)):
        facts.alert(tx, owner, "registration_attempted")
        await audit.record(tx, "registered", owner.id, audit.ANYONE, origin, outcome=audit.REFUSED)


async def request_verification(means: Means, email: str, origin: Origin) -> None:
    """Send another link to an address that is yet to be proved; the one before leads nowhere then."""
    async with pacing.evenly(means.settings.even_answers), means.database.transaction() as tx:
        user = await store.lock_user_by_email(tx, email)
        admitted = await throttling.admits(tx, throttling.mail(email))
        if user is None or user.email_verified:
            return
        if admitted:
            await store.forget_tokens(tx, user.id, Purpose.VERIFY_EMAIL)
            await facts.ask_to_prove(tx, user, user.email, Purpose.VERIFY_EMAIL, means.settings.verification_ttl)
        outcome = audit.DONE if admitted else audit.REFUSED
        await audit.record(tx, "verification_requested", user.id, audit.ANYONE, origin, outcome=outcome)


async def verify_email(tx: AsyncSession, token: str, origin: Origin) -> None:
    """Take the token as proof of the address that it was sent to; it is good once."""
    proof = await store.use_token(tx, token, *_PROOFS)
    if proof is None:
        raise OneTimeTokenRefusedError
    user = await store.lock_user(tx, proof.user_id)
    if proof.purpose == Purpose.VERIFY_EMAIL:
        await _verify(tx, user, proof, origin)
    else:
        await email_change.confirm(tx, user, proof, origin)


async def _verify(tx: AsyncSession, user: User, proof: OneTimeToken, origin: Origin) -> None:
    if user.email != proof.email:
        raise OneTimeTokenRefusedError
    user.email_verified = True
    await audit.record(tx, "email_verified", user.id, audit.ANYONE, origin)


async def own_account(tx: AsyncSession, caller: Principal) -> User:
    """Return the account of a caller whose session is alive."""
    await store.must_be_signed_in(tx, caller)
    return await store.get_user(tx, caller.id)


async def contact(tx: AsyncSession, user_id: UUID) -> User:
    """Return the account, for a service that writes to its owner."""
    return await store.get_user(tx, user_id)


async def change_profile(tx: AsyncSession, caller: Principal, change: ProfileChange) -> User:
    """Change what is named; the others hear of it where it differs from what they know."""
    await store.must_be_signed_in(tx, caller)
    user = await store.lock_user(tx, caller.id)
    wanted = change.model_dump(exclude_unset=True)
    different = {field: value for field, value in wanted.items() if getattr(user, field) != value}
    if different:
        for field, value in different.items():
            setattr(user, field, value)
        facts.changed(tx, user)
        await audit.record(tx, "profile_changed", user.id, audit.actor(caller), fields=sorted(different))
    return user


async def operator_token(means: Means, form: OperatorTokenForm) -> str:
    """Make a token for trying things, where this system allows it."""
    if not means.settings.operator_tokens:
        raise OperatorTokensOffError
    subject = form.user_id or uuid7()
    async with means.database.transaction() as tx:
        await audit.record(tx, "operator_token_made", form.user_id, audit.OPERATOR, role=form.role.value)
    return means.signer.issue(subject, [form.role.value], timedelta(seconds=form.ttl_s), email_verified=True)
