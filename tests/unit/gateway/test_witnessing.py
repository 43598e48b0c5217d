"""Asking witnesses, and what their answers do: cosignatures that are kept, and doubts that stop the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from audit.checkpoints import Checkpoint, PublishedState, read_latest
from audit.cosignature import Cosigner, cosignatures
from audit.errors import AuditError, ProofError, StaleRequestError
from audit.note import LogSigner, read_note
from audit.policy import Group, WitnessPolicy
from audit.witness import AddCheckpoint, WitnessedLog
from gateway.errors import LogUnavailableError
from gateway.log.checkpoints import CheckpointTask
from gateway.log.doubts import SIGNER, Doubt, Doubts
from gateway.log.witness_calls import WitnessAnswer, WitnessTroubleError
from gateway.log.witnessing import Witnessing
from gateway.settings.witnesses import WitnessesSettings
from gateway.store.entries import EntryWriter
from gateway.watching.checks import witnesses_check
from gateway.watching.health import Condition
from schemas.ids import JurisdictionCode, KeyId
from schemas.signing.keys import SigningKey
from tests.patience import GIVES_UP_AFTER
from tests.unit.audit.logs import SmallLog
from tests.unit.gateway.ground import ORIGIN, Ground, HandClock, draft, open_ground

SIGNER_OF_LOG = LogSigner(ORIGIN, SigningKey.generate(KeyId("log"), "Ed25519"))


@dataclass
class InMemory:
    """A witness without a server: the product's own judgement, on a clock that is set by hand."""

    cosigner: Cosigner
    clock: HandClock
    known: WitnessedLog = field(default_factory=lambda: WitnessedLog(SIGNER_OF_LOG.verifier))
    down: bool = False
    answers: list[WitnessAnswer] = field(default_factory=list)
    asked: list[AddCheckpoint] = field(default_factory=list)

    async def __call__(self, _url: str, body: bytes) -> WitnessAnswer:
        """Answer a request as a witness does, unless something else is to be answered first."""
        request = AddCheckpoint.parse(body)
        self.asked.append(request)
        if self.down:
            raise WitnessTroubleError("ConnectError")
        if self.answers:
            return self.answers.pop(0)
        try:
            checkpoint, self.known = self.known.judge(request)
        except StaleRequestError as error:
            return WitnessAnswer(409, f"{error.size}\n".encode())
        except ProofError:
            return WitnessAnswer(422, b"")
        line = self.cosigner.cosign(checkpoint.text, time=int(self.clock().timestamp()))
        return WitnessAnswer(200, line.encode())


@dataclass
class Scene:
    """A log, who signs it, and who has it witnessed."""

    ground: Ground
    witness: InMemory
    settings: WitnessesSettings
    kept: Path
    met: list[bool] = field(default_factory=list)
    signing: CheckpointTask = field(init=False)
    witnessing: Witnessing = field(init=False)

    def __post_init__(self) -> None:
        """Begin a term."""
        self.begin()

    def begin(self) -> None:
        """Begin a term of the relay role anew."""
        ground = self.ground
        self.signing = CheckpointTask(
            store=ground.store,
            signer=SIGNER_OF_LOG,
            published=PublishedState(self.kept),
            clock=ground.clock,
            doubts=ground.doubts,
            on_published=self._published,
        )
        self.witnessing = Witnessing(
            self.settings,
            ask=self.witness,
            store=ground.store,
            doubts=ground.doubts,
            clock=ground.clock,
            on_cosigned=self.signing.cosigned,
            on_ages=lambda _ages, met: self.met.append(met),
        )

    def _published(self, checkpoint: Checkpoint) -> None:
        self.witnessing.offer(checkpoint)

    async def grow(self, count: int = 1) -> None:
        """Append entries, and sign."""
        for _ in range(count):
            await self.ground.committer.submit(EntryWriter(), draft("a"))
        await self.signing.start()

    async def asked(self) -> bool:
        """Ask the witness about what was published last; say whether that went well."""
        (task,) = self.witnessing._tasks
        return await task.ask_now()

    async def latest(self) -> Checkpoint:
        """Return the last checkpoint in the store."""
        async with self.ground.store.reading() as connection:
            latest = await read_latest(connection)
        assert latest is not None
        return latest


def settings_of(cosigner: Cosigner, *, within: int = 60) -> WitnessesSettings:
    """Return settings with one witness, which must have cosigned."""
    known = {"vkey": cosigner.key.vkey, "jurisdiction": "CA-QC", "url": "http://127.0.0.1:1"}
    policy = {"groups": [{"of": ["CA-*"]}], "within": within}
    return WitnessesSettings.model_validate({"known": [known], "policy": policy})


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a log of three entries that its witness knows nothing of yet."""
    async with open_ground(tmp_path) as ground:
        cosigner = Cosigner("witness.example/qc", SigningKey.generate(KeyId("witness"), "Ed25519"))
        scene = Scene(ground, InMemory(cosigner, ground.clock), settings_of(cosigner), tmp_path / "published")
        await scene.grow(3)
        yield scene


def is_cosigned(scene: Scene, checkpoint: Checkpoint) -> bool:
    """Say whether a published note is the witness's and the log's both."""
    return bool(cosignatures(read_note(checkpoint.published.encode()), [scene.witness.cosigner.key]))


async def test_each_checkpoint_is_cosigned_from_where_the_last_one_was(scene: Scene) -> None:
    """The witness is asked from the size that it cosigned last, and its line is published under this very text."""
    for size in (3, 10, 11):
        await scene.grow(size - (await scene.latest()).size)
        assert await scene.asked()
        latest = scene.signing.latest
        assert latest is not None
        assert latest == await scene.latest()
        assert (latest.size, is_cosigned(scene, latest)) == (size, True)
        assert latest.published == latest.note + "".join(latest.cosignatures)
    assert [request.old for request in scene.witness.asked] == [0, 3, 10]


async def test_a_newer_checkpoint_is_not_shown_with_an_older_one_s_cosignatures(scene: Scene) -> None:
    """Between its publication and the witness's answer a checkpoint stands alone, and a late answer changes nothing."""
    assert await scene.asked()
    cosigned = scene.signing.latest
    await scene.grow()
    assert cosigned is not None
    scene.signing.cosigned(cosigned)
    assert scene.signing.latest is not None
    assert (scene.signing.latest.size, scene.signing.latest.cosignatures) == (4, ())


async def test_a_witness_that_knows_more_or_less_is_asked_again_at_once(scene: Scene) -> None:
    """After a restart of either side the size that a 409 tells is gone on from, in the same turn."""
    assert await scene.asked()
    await scene.grow(4)
    scene.begin()
    await scene.signing.start()
    scene.witnessing.offer(await scene.latest())
    assert await scene.asked()
    assert [request.old for request in scene.witness.asked] == [0, 0, 3]
    assert is_cosigned(scene, await scene.latest())


async def test_what_was_cosigned_is_remembered_after_a_restart(scene: Scene) -> None:
    """A new term knows from the database when each witness cosigned last, and goes on from there."""
    assert await scene.asked()
    scene.begin()
    await scene.witnessing.start()
    (task,) = scene.witnessing._tasks
    assert task.time == int(scene.ground.clock().timestamp())
    assert [request.old for request in scene.witness.asked] == [0, 3]


async def test_the_same_checkpoint_is_cosigned_anew_and_once(scene: Scene) -> None:
    """A log that does not grow is asked about again: the later cosignature takes the earlier one's place."""
    assert await scene.asked()
    scene.ground.clock.advance(30)
    assert await scene.asked()
    latest = await scene.latest()
    (found,) = cosignatures(read_note(latest.published.encode()), [scene.witness.cosigner.key])
    assert (len(latest.cosignatures), found.time) == (1, int(scene.ground.clock().timestamp()))


def another_key(scene: Scene, checkpoint: Checkpoint) -> WitnessAnswer:
    """Return an answer with a stranger's cosignature in the witness's name."""
    stranger = Cosigner(scene.witness.cosigner.key.name, SigningKey.generate(KeyId("witness"), "Ed25519"))
    text = read_note(checkpoint.note.encode()).text
    return WitnessAnswer(200, stranger.cosign(text, time=int(scene.ground.clock().timestamp())).encode())


def another_text(scene: Scene, checkpoint: Checkpoint) -> WitnessAnswer:
    """Return an answer with the witness's own cosignature of something else."""
    now = int(scene.ground.clock().timestamp())
    return WitnessAnswer(200, scene.witness.cosigner.cosign(f"{checkpoint.note}x", time=now).encode())


def another_time(scene: Scene, checkpoint: Checkpoint) -> WitnessAnswer:
    """Return an answer of a witness whose clock is an hour ahead."""
    text = read_note(checkpoint.note.encode()).text
    ahead = int(scene.ground.clock().timestamp()) + 3600
    return WitnessAnswer(200, scene.witness.cosigner.cosign(text, time=ahead).encode())


ANSWERS: tuple[Callable[[Scene, Checkpoint], WitnessAnswer], ...] = (
    another_key,
    another_text,
    another_time,
    lambda _scene, _checkpoint: WitnessAnswer(200, b""),
    lambda _scene, _checkpoint: WitnessAnswer(200, b"\xff\n"),
    lambda _scene, _checkpoint: WitnessAnswer(403, b""),
    lambda _scene, _checkpoint: WitnessAnswer(409, b"many\n"),
    lambda _scene, _checkpoint: WitnessAnswer(500, b""),
)


@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_does_not_help_is_no_cosignature(
    scene: Scene, answer: Callable[[Scene, Checkpoint], WitnessAnswer]
) -> None:
    """Nothing is kept of it, nobody doubts the log for it, and the witness is asked again."""
    scene.witness.answers.append(answer(scene, await scene.latest()))
    assert not await scene.asked()
    assert (await scene.latest()).cosignatures == ()
    assert scene.ground.doubts.reason is None
    assert await scene.asked()
    assert is_cosigned(scene, await scene.latest())


async def test_a_witness_that_has_seen_more_stops_the_exchange(scene: Scene) -> None:
    """An older log is not accepted into, nor signed, here and in other processes; and is again once it is put right."""
    scene.witness.answers += [WitnessAnswer(409, b"99\n")]
    assert not await scene.asked()
    with pytest.raises(LogUnavailableError) as refused:
        await scene.grow()
    assert refused.value.reason is not None
    assert "witness.example/qc" in refused.value.reason.fr
    assert "longer log" in refused.value.reason.en
    held: list[object] = []
    elsewhere = Doubts(scene.ground.store, clock=scene.ground.clock, on_change=held.append)
    await elsewhere.refresh()
    assert held == [refused.value.reason]
    before = await scene.latest()
    await scene.signing.start()
    assert (await scene.latest()).size == before.size
    assert await scene.asked()
    await elsewhere.refresh()
    assert held == [refused.value.reason, None]
    await scene.grow()
    assert (await scene.latest()).size == before.size + 1


async def test_another_relay_s_newer_checkpoint_is_no_doubt(scene: Scene) -> None:
    """A witness that is ahead of what it is asked about, and not of the log, is waited for."""
    older = await scene.latest()
    await scene.grow(4)
    assert await scene.asked()
    scene.begin()
    scene.witnessing.offer(older)
    assert await scene.asked()
    assert scene.ground.doubts.reason is None


async def test_another_history_is_a_doubt(scene: Scene) -> None:
    """A witness that has cosigned another root, of this size or of a smaller one, stops the exchange."""
    fork = SmallLog(SIGNER_OF_LOG, 3, seed="other")
    for size in (3, 2):
        scene.witness.known = WitnessedLog(SIGNER_OF_LOG.verifier).judge(fork.request(0, size))[1]
        assert not await scene.asked()
        assert scene.ground.doubts.detail == f"{Doubt.OTHER_THAN_WITNESS} (witness.example/qc)"
        await scene.ground.doubts.settle("witness.example/qc")


async def test_a_witness_that_contradicts_itself_is_no_doubt(scene: Scene) -> None:
    """What a witness has cosigned itself it can't refuse a proof from: then it is the one that is broken."""
    assert await scene.asked()
    await scene.grow()
    scene.witness.answers.append(WitnessAnswer(422, b""))
    assert not await scene.asked()
    assert scene.ground.doubts.reason is None


async def test_a_log_that_was_rewritten_under_its_cosignature_is_a_doubt(scene: Scene) -> None:
    """A cosignature that is kept of another tree than the log has now does not make its witness the broken one."""
    assert await scene.asked()
    other = SmallLog(SIGNER_OF_LOG, 3, seed="other").note(3)
    line = scene.witness.cosigner.cosign(read_note(other).text, time=int(scene.ground.clock().timestamp()))
    await scene.ground.tamper(f"UPDATE cosignatures SET line = '{line}'")  # noqa: S608 - of the test's own making
    await scene.grow()
    scene.witness.answers.append(WitnessAnswer(422, b""))
    assert not await scene.asked()
    assert scene.ground.doubts.detail == f"{Doubt.OTHER_THAN_WITNESS} (witness.example/qc)"


async def test_who_is_no_witness_any_more_has_no_doubts(scene: Scene) -> None:
    """Taking a witness out of the settings is the operator's way to go on without it."""
    scene.witness.answers += [WitnessAnswer(409, b"99\n")]
    assert not await scene.asked()
    scene.settings = WitnessesSettings()
    scene.begin()
    await scene.witnessing.start()
    assert scene.ground.doubts.reason is None


async def test_a_log_that_contradicts_what_was_published_is_not_accepted_into(scene: Scene) -> None:
    """The running exchange takes nothing more, says why, and goes on when the log is put right."""
    await scene.ground.tamper("UPDATE log_head SET size = 2, root = x'00' WHERE id = 1")
    with pytest.raises(AuditError):
        await scene.signing.start()
    assert scene.ground.doubts.detail == f"{Doubt.BEHIND_PUBLISHED} ({SIGNER})"
    with pytest.raises(LogUnavailableError) as refused:
        await scene.ground.committer.submit(EntryWriter(), draft("a"))
    assert refused.value.reason == Doubt.BEHIND_PUBLISHED.told(SIGNER)
    root = (await scene.latest()).root.hex()
    await scene.ground.tamper(f"UPDATE log_head SET size = 3, root = x'{root}' WHERE id = 1")  # noqa: S608 - of the test's own making
    await scene.signing.start()
    await scene.grow()
    assert (await scene.latest()).size == 4


async def test_a_running_signer_doubts_and_goes_on(scene: Scene) -> None:
    """What is found while the exchange runs stops it from accepting, and not from running."""
    running = asyncio.create_task(scene.signing.run())
    root = (await scene.latest()).root.hex()
    await scene.ground.tamper("UPDATE log_head SET root = x'00' WHERE id = 1")
    scene.signing.head_moved()
    async with asyncio.timeout(GIVES_UP_AFTER):
        while scene.ground.doubts.reason is None:  # noqa: ASYNC110 - it tells nobody but the committer
            await asyncio.sleep(0.01)
        await scene.ground.tamper(f"UPDATE log_head SET root = x'{root}' WHERE id = 1")  # noqa: S608 - the same
        while scene.ground.doubts.reason is not None:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    running.cancel()


async def test_a_policy_that_is_not_met_in_time_is_told(scene: Scene) -> None:
    """Readiness names the jurisdictions that lack, in both languages, until their witness has cosigned lately."""
    policy = scene.settings.witness_policy
    assert policy is not None
    look = witnesses_check(scene.ground.store, policy, scene.ground.clock)
    lacking = await look()
    assert (lacking.condition, lacking.detail) == (Condition.DEGRADED, "lacking 1 of CA-*")
    assert lacking.reason is not None
    assert await scene.asked()
    assert (await look()).condition is Condition.WORKING
    scene.ground.clock.advance(policy.within + 1)
    assert (await look()).condition is Condition.DEGRADED


async def test_a_witness_that_is_down_is_counted_and_asked_until_it_is_back(scene: Scene) -> None:
    """While it is down the policy is not met, and it is once the witness answers again."""
    scene.witness.down = True
    running = asyncio.create_task(scene.witnessing.run())
    async with asyncio.timeout(GIVES_UP_AFTER):
        while False not in scene.met:  # noqa: ASYNC110 - a task that watches tells nobody here
            await asyncio.sleep(0.01)
        scene.witness.down = False
        while not scene.met[-1]:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0.01)
    running.cancel()
    assert is_cosigned(scene, await scene.latest())


def test_two_witnesses_of_one_jurisdiction_are_one_voice() -> None:
    """A group counts jurisdictions; a star names all whose code begins so; and nothing demanded is no policy."""
    keys = [Cosigner(f"w{number}", SigningKey.generate(KeyId("w"), "Ed25519")).key for number in range(3)]
    codes = [JurisdictionCode(code) for code in ("US-NY", "US-NY", "US-VT")]
    policy = WitnessPolicy(dict(zip(keys, codes, strict=True)), (Group(("US-*",), 2),))
    assert not policy.is_met_by(["w0", "w1"])
    assert policy.is_met_by(["w0", "w2"])
    assert not policy.is_met_by(["w0", "stranger"])
    with pytest.raises(ValueError, match="at least one"):
        WitnessPolicy({}, ())


@pytest.mark.parametrize(
    "change",
    [
        {"policy": {"groups": [{"of": ["US-NY"]}]}},
        {"policy": {"groups": [{"of": ["CA-QC"], "threshold": 2}]}},
        {"policy": {"groups": []}},
        {"policy": {"groups": [{"of": []}]}},
        {"policy": {"groups": [{"of": ["CA-QC"], "threshold": 0}]}},
        {"known": [{"vkey": SIGNER_OF_LOG.vkey, "jurisdiction": "CA-QC"}]},
    ],
    ids=["nobody", "too-many", "no-group", "no-member", "none-needed", "a-log-s-key"],
)
def test_settings_that_can_never_be_met_are_refused(change: dict[str, object]) -> None:
    """A policy that its witnesses can't meet, or that demands nothing, is no setting; nor is a key of another kind."""
    cosigner = Cosigner("witness.example/qc", SigningKey.generate(KeyId("witness"), "Ed25519"))
    sound = settings_of(cosigner).model_dump(exclude={"known"})
    known = [{"vkey": cosigner.key.vkey, "jurisdiction": "CA-QC"}]
    with pytest.raises(ValueError, match=r"known|groups|policy|témoin|witness"):
        WitnessesSettings.model_validate({**sound, "known": known, **change})
