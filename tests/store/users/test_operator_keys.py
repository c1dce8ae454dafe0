from tests.store.users.conftest import Home


async def test_the_operator_rotates_and_nobody_does_through_a_sidecar(home: Home) -> None:
    first = home.means.signer.kid
    made = await home.call("POST", "/internal/operator/signing-keys", {"compromised": True})
    assert (made.status, made.json()["published"]) == (201, [made.json()["kid"]])
    assert home.means.signer.kid != first
    for caller in ("edge", "orders", "users"):
        refused = await home.call("POST", "/internal/operator/signing-keys", {}, dapr_caller_app_id=caller)
        assert refused.status == 403
    assert await home.trail() == [("signing_key_rotated", "done")]
