"""Windows are cut by count, by the end of what arrives, and by a silence unless they are patient."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from rdiverse.inference.servicers.windows import windows


async def arriving(*chunks: Sequence[int] | float | Exception) -> AsyncIterator[Sequence[int]]:
    """Chunks; a number is a pause in seconds."""
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        if isinstance(chunk, float):
            await asyncio.sleep(chunk)
        else:
            yield chunk


def gathered(*chunks: Sequence[int] | float | Exception, patient: bool, size: int = 3) -> list[list[int]]:
    async def gather() -> list[list[int]]:
        return [window async for window in windows(arriving(*chunks), size, patient=patient)]

    return asyncio.run(gather())


@pytest.mark.parametrize("patient", [True, False])
def test_windows_are_full_but_for_the_last(patient):
    assert gathered([1, 2], [3, 4, 5, 6, 7], [8], patient=patient) == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert gathered(patient=patient) == []


def test_a_silence_closes_a_window_unless_it_is_patient():
    assert gathered([1, 2], 0.2, [3, 4], patient=False) == [[1, 2], [3, 4]]
    assert gathered([1, 2], 0.2, [3, 4], patient=True) == [[1, 2, 3], [4]]


def test_a_fault_comes_after_full_windows_and_in_place_of_a_last_one():
    async def gather() -> list[list[int] | str]:
        found: list[list[int] | str] = []
        try:
            async for window in windows(arriving([1, 2, 3, 4], ValueError("fault")), 3, patient=True):
                found += [window]
        except ValueError as error:
            found.append(str(error))
        return found

    assert asyncio.run(gather()) == [[1, 2, 3], "fault"]
