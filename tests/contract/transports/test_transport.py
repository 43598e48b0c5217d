"""What every transport promises (``adapters.contract``), tried on each implementation."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import assert_never

import pytest

from adapters.contract import Transport
from adapters.formats import cap, native
from adapters.transports.directory import DirectoryTransport
from adapters.transports.https import HttpsTransport
from schemas.parcels import Deferred, Delivered, Parcel
from schemas.withholding.copies import CopyForm
from tests.contract.transports.partner import MakeMessage, PartnerServer
from tests.unit.adapters.copies import derived, identifying, original, presented, wanted_person


class Ground(ABC):
    """A transport, and what its partner has to show for it."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @abstractmethod
    def received(self) -> dict[str, set[bytes]]:
        """Return the bodies that the partner has, by the delivery id that it recognises them by."""

    @abstractmethod
    def manifests(self) -> dict[str, str]:
        """Return what the partner was told beside a body, by the delivery id."""

    @abstractmethod
    async def cut(self) -> None:
        """Make the partner impossible to reach."""

    @abstractmethod
    async def mend(self) -> None:
        """Make it possible again."""


class HttpsGround(Ground):
    """The HTTPS transport and the partner's server."""

    def __init__(self, transport: Transport, server: PartnerServer) -> None:
        super().__init__(transport)
        self._server = server

    def received(self) -> dict[str, set[bytes]]:
        """Return what was POSTed, by Idempotency-Key."""
        found: dict[str, set[bytes]] = {}
        for request in self._server.requests:
            found.setdefault(dict(request.headers)["Idempotency-Key"], set()).add(request.body)
        return found

    def manifests(self) -> dict[str, str]:
        """Return the fields of the requests."""
        fields = [dict(request.headers) for request in self._server.requests]
        return {each["Idempotency-Key"]: each["Ce-Manifest"] for each in fields if "Ce-Manifest" in each}

    async def cut(self) -> None:
        """Stop the server."""
        await self._server.stop()

    async def mend(self) -> None:
        """Start it again on its port."""
        await self._server.start()


class DirectoryGround(Ground):
    """The directory transport and the directory."""

    def __init__(self, transport: Transport, directory: Path) -> None:
        super().__init__(transport)
        self._directory = directory

    def received(self) -> dict[str, set[bytes]]:
        """Return what the files hold, by the delivery id in their names."""
        found: dict[str, set[bytes]] = {}
        for path in self._directory.iterdir():
            if path.suffix != ".manifest":
                found.setdefault(path.stem.partition("-")[2], set()).add(path.read_bytes())
        return found

    def manifests(self) -> dict[str, str]:
        """Return the files beside the messages."""
        return {path.stem.partition("-")[2]: path.read_text() for path in self._directory.glob("*.manifest")}

    async def cut(self) -> None:
        """Move the directory away."""
        self._directory.rename(self._directory.with_name("elsewhere"))

    async def mend(self) -> None:
        """Move it back."""
        self._directory.with_name("elsewhere").rename(self._directory)


@pytest.fixture(params=["https", "directory"])
async def ground(
    request: pytest.FixtureRequest, https: HttpsTransport, server: PartnerServer, tmp_path: Path
) -> AsyncIterator[Ground]:
    """Yield each transport with its partner: one parameter for each implementation."""
    match request.param:
        case "https":
            yield HttpsGround(https, server)
        case "directory":
            transport = DirectoryTransport(tmp_path)
            yield DirectoryGround(transport, tmp_path)
            await transport.close()
        case other:
            pytest.fail(f"no such transport: {other}")


async def test_delivered_means_the_partner_has_it(ground: Ground, make_message: MakeMessage) -> None:
    """When the transport says Delivered, the partner has every byte, under the delivery's own name."""
    message = make_message(body=bytes(range(256)))
    assert isinstance(await ground.transport.deliver(message), Delivered)
    assert ground.received() == {message.parcel.delivery_id: {message.body}}


@pytest.mark.parametrize("form", CopyForm)
async def test_every_form_of_a_copy_arrives_with_what_it_lacks(ground: Ground, form: CopyForm) -> None:
    """Each form reaches the partner byte for byte, an SD-JWT with its manifest beside it, and others with nothing."""
    message = native(copy_of(form))
    assert message.content_type == form
    for _again in range(2):
        assert isinstance(await ground.transport.deliver(message), Delivered)
    assert ground.received() == {message.parcel.delivery_id: {message.body}}
    beside = {message.parcel.delivery_id: message.manifest} if form is CopyForm.PRESENTED else {}
    assert ground.manifests() == beside


def copy_of(form: CopyForm) -> Parcel:
    """Return a copy in a form, which lacks something where it can."""
    document = wanted_person()
    match form:
        case CopyForm.ORIGINAL:
            return original(document)
        case CopyForm.DERIVED:
            return derived(document, identifying(document))
        case CopyForm.PRESENTED:
            return presented(document, identifying(document))
        case _:
            assert_never(form)


async def test_a_cap_message_has_nothing_beside_it(ground: Ground) -> None:
    """A CAP message says itself what it lacks; a manifest of bytes that the partner does not have proves nothing."""
    message = cap(copy_of(CopyForm.PRESENTED))
    assert isinstance(await ground.transport.deliver(message), Delivered)
    assert ground.received() == {message.parcel.delivery_id: {message.body}}
    assert ground.manifests() == {}


async def test_the_same_delivery_again_is_recognisable(ground: Ground, make_message: MakeMessage) -> None:
    """A redelivery reaches the partner under the same delivery id, and another delivery under another."""
    for number in (1, 2, 1):
        assert isinstance(await ground.transport.deliver(make_message(number)), Delivered)
    expected = {make_message(number).parcel.delivery_id for number in (1, 2)}
    assert ground.received().keys() == expected


async def test_many_at_once(ground: Ground, make_message: MakeMessage) -> None:
    """Messages handed over at the same time all arrive, and none has another's bytes."""
    messages = [make_message(number, body=b"%d" % number * 500) for number in range(24)]
    outcomes = await asyncio.gather(*(ground.transport.deliver(message) for message in messages))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert ground.received() == {message.parcel.delivery_id: {message.body} for message in messages}


async def test_a_large_message_arrives_whole(ground: Ground, make_message: MakeMessage) -> None:
    """The largest submission that the exchange takes passes through unharmed."""
    message = make_message(body=b"0123456789abcdef" * 131_072)
    assert isinstance(await ground.transport.deliver(message), Delivered)
    assert ground.received() == {message.parcel.delivery_id: {message.body}}


async def test_a_partner_that_is_gone_is_an_outcome(ground: Ground, make_message: MakeMessage) -> None:
    """A partner that can't be reached is Deferred in a short phrase, raises nothing, and is reached once it is back."""
    assert isinstance(await ground.transport.deliver(make_message(1)), Delivered)
    await ground.cut()
    outcome = await ground.transport.deliver(make_message(2))
    assert isinstance(outcome, Deferred)
    assert 0 < len(outcome.detail) <= 30
    assert outcome.retry_after is None
    await ground.mend()
    assert isinstance(await ground.transport.deliver(make_message(2)), Delivered)
    assert len(ground.received()) == 2


async def test_a_cancelled_delivery_harms_no_later_one(ground: Ground, make_message: MakeMessage) -> None:
    """The worker may cancel a delivery at any moment; the transport serves on."""
    for turns in range(4):
        delivery = asyncio.create_task(ground.transport.deliver(make_message(1)))
        for _ in range(turns):
            await asyncio.sleep(0)
        delivery.cancel()
        await asyncio.wait({delivery})
    assert isinstance(await ground.transport.deliver(make_message(2)), Delivered)
    assert make_message(2).parcel.delivery_id in ground.received()


async def test_close_may_be_called_again(ground: Ground, make_message: MakeMessage) -> None:
    """Closing releases everything, also a second time."""
    await ground.transport.deliver(make_message())
    await ground.transport.close()
    await ground.transport.close()
