from collections.abc import Callable, Iterator

import pytest

from tests.support.postgres import Cluster, cluster


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def database_for(postgres_cluster: Cluster) -> Callable[[str], str]:
    """Give a fresh, migrated database of a service by its runtime role's address."""
    return postgres_cluster.database_for


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/store/" in item.path.as_posix():
            item.add_marker(pytest.mark.store)
