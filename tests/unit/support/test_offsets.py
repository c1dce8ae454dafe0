from itertools import combinations
from pathlib import Path

from tests.support.offsets import OFFSETS, footprint, take


def test_systems_that_run_side_by_side_share_no_port_not_even_of_a_replica(tmp_path: Path) -> None:
    taken = [take(lambda _: True, tmp_path) for _ in range(6)]
    ports = [{port + offset for port in footprint()} for offset, _ in taken]
    assert [one & other for one, other in combinations(ports, 2) if one & other] == []
    for _, held in taken:
        held.close()


def test_an_offset_that_was_given_back_or_cannot_be_is_passed_over(tmp_path: Path) -> None:
    tried: list[int] = []

    def third(each: int) -> bool:
        tried.append(each)
        return len(tried) == 3

    offset, held = take(third, tmp_path)
    assert (offset, len({*tried})) == (tried[-1], 3)
    held.close()
    again, held = take(lambda each: each == offset, tmp_path)
    assert again == offset, "nobody holds it any more"
    held.close()


def test_more_than_fit_side_by_side_find_a_place_all_the_same(tmp_path: Path) -> None:
    taken = [take(lambda _: True, tmp_path) for _ in range(20)]
    assert len({offset for offset, _ in taken}) == 20
    assert all(offset in OFFSETS for offset, _ in taken)
    for _, held in taken:
        held.close()
