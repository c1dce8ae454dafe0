"""A new address: it takes a word from the old one, whose owner may not have asked, and from the new one."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from apps.chassis.auth import Principal
from apps.users import audit, facts, reauthentication, store, throttling
from apps.users.domain import OneTimeTokenRefusedError, Purpose
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.schemas import EmailChangeForm
from apps.users.tables import EmailChange, OneTimeToken, User

_BOTH = (Purpose.CHANGE_EMAIL_OLD, Purpose.CHANGE_EMAIL_NEW)


async def request(means: Means, caller: Principal, form: EmailChangeForm, origin: Origin) -> None:
    """Ask both addresses; the answer is the same where the new one has an account, whose owner is told."""
    await reauthentication.check(means, caller, form.password.get_secret_value(), origin)
    ttl = means.settings.verification_ttl
    async with means.database.transaction() as tx:
        await store.must_be_signed_in(tx, caller)
        user = await store.lock_user(tx, caller.id)
        await store.forget_tokens(tx, user.id, *_BOTH)
        wanted = {"old_email": user.email, "new_email": form.new_email, "expires_at": facts.now() + ttl}
        await store.replace_email_change(tx, {"user_id": user.id, **wanted})
        await audit.record(tx, "email_change_requested", user.id, audit.actor(caller), origin)
        if not await throttling.admits(tx, throttling.mail(form.new_email)):
            return
        await facts.ask_to_prove(tx, user, user.email, Purpose.CHANGE_EMAIL_OLD, ttl)
        if await store.find_user(tx, form.new_email) is None:
            await facts.ask_to_prove(tx, user, form.new_email, Purpose.CHANGE_EMAIL_NEW, ttl)


async def confirm(tx: AsyncSession, user: User, proof: OneTimeToken, origin: Origin) -> None:
    """Note the word of one end; with both the address changes."""
    new = proof.purpose == Purpose.CHANGE_EMAIL_NEW
    change = await store.confirm_email_change(tx, user.id, new=new)
    if change is None or change.old_email != user.email or proof.email != (change.new_email if new else user.email):
        raise OneTimeTokenRefusedError
    if change.old_confirmed_at and change.new_confirmed_at:
        await _apply(tx, user, change, origin)


async def _apply(tx: AsyncSession, user: User, change: EmailChange, origin: Origin) -> None:
    try:
        async with tx.begin_nested():
            user.email, user.email_verified = change.new_email, True
    except IntegrityError as error:  # somebody registered it meanwhile
        raise OneTimeTokenRefusedError from error
    await store.end_email_change(tx, user.id)
    # a link that was sent to the old address must not open the account of the new one
    await store.forget_tokens(tx, user.id, *Purpose)
    facts.changed(tx, user)
    facts.alert(tx, user, "email_changed", email=change.old_email)
    await audit.record(tx, "email_changed", user.id, audit.ANYONE, origin)
