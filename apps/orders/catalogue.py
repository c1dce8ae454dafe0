"""The price list."""

from sqlalchemy.ext.asyncio import AsyncSession

from apps.contracts.base import Money
from apps.orders import store
from apps.orders.schemas import ChangeStock, PutProduct
from apps.orders.tables import Product
from apps.orders.views import ProductPage, ProductView


async def list_products(tx: AsyncSession, after: str, limit: int, *, active: bool | None) -> ProductPage:
    """Return articles by sku."""
    items = [_view(product) for product in await store.list_products(tx, after, limit, active=active)]
    return ProductPage(items=items, next=items[-1].sku if len(items) == limit else None)


async def show(tx: AsyncSession, sku: str) -> ProductView:
    """Return one article."""
    return _view(await store.get_product(tx, sku))


async def put(tx: AsyncSession, sku: str, command: PutProduct) -> ProductView:
    """Write one article; orders placed before keep its former name and price."""
    await store.put_product(tx, sku, command)
    return await show(tx, sku)


async def change_stock(tx: AsyncSession, sku: str, command: ChangeStock) -> ProductView:
    """Add to the stock, or take from it."""
    await store.change_stock(tx, sku, command.delta)
    return await show(tx, sku)


def _view(product: Product) -> ProductView:
    return ProductView(
        sku=product.sku,
        name=product.name,
        price=Money(amount=product.price, currency=product.currency),
        stock=product.stock,
        active=product.active,
        options=product.options,
    )
