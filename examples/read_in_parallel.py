"""The same for asyncio: one repository for the life of the application, shared by its tasks."""

import asyncio

from ingester.repository import AsyncPostgresRepository


async def main() -> None:
    """Ask three things at once."""
    async with await AsyncPostgresRepository.connect(connections_max=4) as repository:
        daily, top, campaigns = await asyncio.gather(
            repository.get_aggregated_daily_stats(),
            repository.get_top_campaigns(metric="opened", limit=3),
            repository.list_campaigns(containing="sale"),
        )
    print(f"opened in all: {daily.total.opened}")
    print(f"most opened: {[each.campaign_id for each in top.campaigns]}")
    print(f"campaigns with sale in their id: {len(campaigns.campaigns)}")


asyncio.run(main())
