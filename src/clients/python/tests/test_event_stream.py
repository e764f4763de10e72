"""The parser of the event stream."""

import pytest
from tertulia.event_stream import Block, EventStreamParser

STREAM = (
    "\ufeffretry: 2360\nid: a-0\n: heartbeat\n\n"
    'id: a-1\ndata: {"text":"Grüße 👋"}\n\n'
    "event: other\r\nid: a-2\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n"
    "data:  three\r\r"
    ": only a comment\n\n"
    "id: with\0nul\ndata: four\n\n"
    "retry: soon\nid\ndata: five\n\n"
    "id: a-9\ndata: never finished"
).encode()

BLOCKS = [
    Block("a-0", None),
    Block("a-1", '{"text":"Grüße 👋"}'),
    Block("a-2", "one\ntwo\n"),
    Block("a-2", " three"),
    Block("a-2", "four"),
    Block("", "five"),
]


def parsed(pieces: list[bytes]) -> tuple[list[Block], EventStreamParser]:
    parser = EventStreamParser()
    return [block for piece in pieces for block in parser.feed(piece)], parser


def test_reads_ids_data_comments_and_every_kind_of_line_end() -> None:
    blocks, parser = parsed([STREAM])
    assert blocks == BLOCKS
    assert parser.retry == 2.36


@pytest.mark.parametrize("size", range(1, 12))
def test_pieces_of_any_size_give_the_same_blocks(size: int) -> None:
    assert parsed([STREAM[at : at + size] for at in range(0, len(STREAM), size)])[0] == BLOCKS


def test_a_cut_at_any_place_gives_the_same_blocks() -> None:
    for at in range(len(STREAM)):
        assert parsed([STREAM[:at], b"", STREAM[at:]])[0] == BLOCKS, at


def test_a_long_line_in_small_pieces_is_put_together() -> None:
    text = "x" * 100_000
    stream = f"data: {text}\n\n".encode()
    assert parsed([stream[at : at + 7] for at in range(0, len(stream), 7)])[0] == [Block(None, text)]
