import pytest

from apps.notifications.segments import Segments, segments


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("", Segments("GSM-7", 0, 1)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("äöüßÄÖÜàéè£¥", Segments("GSM-7", 12, 1)),
        ("€" * 80, Segments("GSM-7", 160, 1)),
        ("€" * 81, Segments("GSM-7", 162, 2)),
        # 152 and then a character of two places, which is not torn apart
        ("a" * 152 + "€" + "a" * 152, Segments("GSM-7", 306, 3)),
        ("ж" * 70, Segments("UCS-2", 70, 1)),
        ("ж" * 71, Segments("UCS-2", 71, 2)),
        ("ê", Segments("UCS-2", 1, 1)),
        ("😀" * 35, Segments("UCS-2", 70, 1)),
        ("😀" * 36, Segments("UCS-2", 72, 2)),
        ("a\xa0b", Segments("UCS-2", 3, 1)),
    ],
)
def test_segments_are_counted_as_they_are_paid(text: str, counted: Segments) -> None:
    assert segments(text) == counted
