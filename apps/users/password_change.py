"""A new password: by one who knows the old one, or by one who reads the account's mail."""

from pydantic import SecretStr

from apps.chassis.auth import Principal
from apps.users import audit, domain, facts, pacing, reauthentication, session_store, store, throttling
from apps.users.domain import OneTimeTokenRefusedError, PasswordWrongError, Purpose
from apps.users.means import Means
from apps.users.origin import Origin
from apps.users.schemas import PasswordChangeForm


async def change(means: Means, caller: Principal, form: PasswordChangeForm, origin: Origin) -> None:
    """Replace the password and end every other session: one of them may be why it is changed."""
    checked = await reauthentication.check(means, caller, form.current_password.get_secret_value(), origin)
    fresh = await means.passwords.hash(form.new_password.get_secret_value())
    async with means.database.transaction() as tx:
        await store.must_be_signed_in(tx, caller)
        user = await store.lock_user(tx, caller.id)
        if user.password_hash != checked:  # changed while we verified the earlier one
            raise PasswordWrongError
        domain.refuse_own_words("new_password", form.new_password.get_secret_value(), user.email, user.name)
        user.password_hash = fresh
        await session_store.end_all(tx, user.id, but=caller.session_id)
        await store.forget_tokens(tx, user.id, Purpose.RESET_PASSWORD)
        facts.alert(tx, user, "password_changed")
        await audit.record(tx, "password_changed", user.id, audit.actor(caller), origin)


async def request_reset(means: Means, email: str, origin: Origin) -> None:
    """Have the owner of an account sent a link; nobody else learns whether there is one."""
    async with pacing.evenly(means.settings.even_answers), means.database.transaction() as tx:
        user = await store.lock_user_by_email(tx, email)
        admitted = await throttling.admits(tx, throttling.mail(email))
        outcome = audit.DONE if user and admitted else audit.REFUSED
        if user and admitted:
            await store.forget_tokens(tx, user.id, Purpose.RESET_PASSWORD)
            await facts.ask_to_prove(tx, user, user.email, Purpose.RESET_PASSWORD, means.settings.reset_ttl)
        if user:
            await audit.record(tx, "password_reset_requested", user.id, audit.ANYONE, origin, outcome=outcome)


async def reset(means: Means, token: str, password: SecretStr, origin: Origin) -> None:
    """Replace the password for whoever holds the mailed token, and end every session; the mail proves the address."""
    async with means.database.transaction() as tx:
        if not await store.knows_token(tx, token, Purpose.RESET_PASSWORD):
            raise OneTimeTokenRefusedError
    fresh = await means.passwords.hash(password.get_secret_value())
    async with means.database.transaction() as tx:
        proof = await store.use_token(tx, token, Purpose.RESET_PASSWORD)
        if proof is None:
            raise OneTimeTokenRefusedError
        user = await store.lock_user(tx, proof.user_id)
        if user.email != proof.email:
            raise OneTimeTokenRefusedError
        # which gives the token back: it may be tried again with another password
        domain.refuse_own_words("new_password", password.get_secret_value(), user.email, user.name)
        user.password_hash, user.email_verified = fresh, True
        await session_store.end_all(tx, user.id)
        facts.alert(tx, user, "password_reset")
        await audit.record(tx, "password_reset", user.id, audit.ANYONE, origin)
