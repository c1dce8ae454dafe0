from apps.chassis.app import Chassis
from apps.chassis.jobs import Jobs
from apps.payments import balances, erasure, reconciling

jobs = Jobs()


@jobs.on("every-10s")
async def forget_persons(chassis: Chassis) -> None:
    """Forget in payments that have come to rest since, or came late."""
    async with chassis.database.transaction() as tx:
        await erasure.let_go(tx)
        more = await erasure.forget_some(tx)
    while more:
        async with chassis.database.transaction() as tx:
            more = await erasure.forget_some(tx)


@jobs.on("every-10s")
async def carry_balances_on(chassis: Chassis) -> None:
    """Keep what the accounts come to, so that nobody who asks has the whole ledger read."""
    await balances.carry_on(chassis.database)


@jobs.on("every-10s")
async def reconcile(chassis: Chassis) -> None:
    """Compare days with the processors' lists, and verify the books."""
    await reconciling.run_due(chassis)
