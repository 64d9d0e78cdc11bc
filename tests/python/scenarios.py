"""What a miner of the SDK must find when it talks to `sn17 serve`; each function is a test."""

import asyncio
import base64
import struct
import time
import zlib
from math import isclose
from pathlib import Path

import bittensor as bt

import miner
from miner import VALIDATOR_UID, Miner
from network import Network
from protocol import MINER_LICENSE_CONSENT_DECLARATION, ImageTask, PullTask, SubmitResults, TextTask
from server import Skip

# The original's rules, which every server's policy leaves as they are.
THRESHOLD = 0.6
UNREGISTERED_SECS = 3600
FIRST_RATING = 1500.0
NEW_SCORE_WEIGHT = 0.05
TASK_ENDS_WITHIN_SECS = 20
# Simulated verdicts look at no bytes.
SPLAT = b"a splat, as far as a simulation cares"
ROBOCOP_PROMPT = "robocop with hammer in one hand"
ROBOCOP_FILE = f"{ROBOCOP_PROMPT}.spz"


async def protocol_is_that_of_the_notebook(fixtures: Path | None) -> None:
    if fixtures is None:
        raise Skip("SN17_FIXTURES is not set")
    notebook = fixtures.parent / "system.md"
    if not notebook.is_file():
        raise Skip("system.md is not beside the fixtures")
    published = notebook.read_text()
    source = (Path(__file__).parent / "protocol.py").read_text()
    _, between_marks, _ = source.split("# --- as published")
    parts = between_marks.removeprefix(" ---").strip().split("\n\n\n")
    assert len(parts) == 9, f"{len(parts)} parts: 5 classes, 1 pair of types, 1 text, 2 functions are published"
    for part in parts:
        assert part + "\n" in published, f"not in the notebook:\n{part}"


# --- pulling ---


async def pull_gives_a_task(network: Network) -> None:
    one = network.miner()
    network.server.script_task(one.address, "a brass telescope on a tripod, très détaillé 🔭")
    pull = await one.pull()
    assert_success(pull)
    assert isinstance(pull.task, TextTask) and pull.task.id
    assert pull.task.prompt == "a brass telescope on a tripod, très détaillé 🔭"
    assert (pull.validation_threshold, pull.throttle_period) == (THRESHOLD, network.rules["throttle_secs"])
    assert (pull.cooldown_until, pull.cooldown_violations) == (0, 0)


async def repull_gives_the_same_task(network: Network) -> None:
    one = network.miner()
    first, second = await one.pull(), await one.pull()
    assert_success(second)
    assert second.task == first.task and first.task.id


async def unregistered_miner_is_sent_away(network: Network) -> None:
    stranger = network.stranger()
    asked = int(time.time())
    pull = await stranger.pull()
    assert_success(pull)
    assert pull.task is None
    assert asked + UNREGISTERED_SECS <= pull.cooldown_until <= time.time() + UNREGISTERED_SECS
    answer = await stranger.submit(TextTask(prompt="a chair"), SPLAT)
    assert answer.dendrite.status_code == 403, answer.dendrite
    assert "Unrecognized hotkey" in answer.dendrite.status_message
    assert answer.feedback is None


# --- submitting ---


async def submission_is_answered_with_its_score(network: Network) -> None:
    one = network.miner()
    network.server.script_verdict(hotkey=one.address, score=0.83)
    pull, answer, assigned = await pull_and_submit(one)
    assert_success(answer, "Success")
    feedback = answer.feedback
    assert feedback.validation_failed is False
    assert isclose(feedback.task_fidelity_score, 0.83, abs_tol=1e-6)
    average = 1.0 - NEW_SCORE_WEIGHT + NEW_SCORE_WEIGHT * feedback.task_fidelity_score
    assert isclose(feedback.average_fidelity_score, average, abs_tol=1e-6)
    assert feedback.generations_within_the_window == 1
    assert feedback.current_duel_rating == FIRST_RATING
    assert feedback.current_miner_reward == FIRST_RATING
    assert_cooldown(answer, assigned, network.rules["cooldown_secs"])
    assert answer.task_id == pull.task.id


async def loop_of_the_notebook_runs(network: Network) -> None:
    one = network.miner()
    network.server.script_task(one.address, "a red chair")
    asked_for = []

    def generate(task_type: str, prompt: str) -> bytes:
        asked_for.append((task_type, prompt))
        return SPLAT

    [answer] = await one.work(generate)
    assert asked_for == [("text", "a red chair")]
    assert_success(answer, "Success")
    assert answer.feedback.task_fidelity_score > THRESHOLD and answer.cooldown_until > time.time()


async def loop_that_fails_to_generate_passes(network: Network) -> None:
    one = network.miner()
    started = time.time()
    [answer] = await one.work(lambda _type, _prompt: None)
    assert_success(answer, "Success; empty result")
    assert answer.feedback.validation_failed is False
    assert answer.feedback.task_fidelity_score == 0.0
    assert answer.feedback.generations_within_the_window == 0
    assert_cooldown(answer, (started, time.time()), network.rules["cooldown_secs"])


async def low_score_is_refused_with_a_penalty(network: Network) -> None:
    one = network.miner()
    network.server.script_verdict(hotkey=one.address, score=0.41)
    _, answer, assigned = await pull_and_submit(one)
    assert_success(answer, "Rejected: the score 0.41")
    assert answer.feedback.validation_failed is True
    assert isclose(answer.feedback.task_fidelity_score, 0.41, abs_tol=1e-6)
    assert answer.feedback.generations_within_the_window == 0
    assert_cooldown(answer, assigned, network.rules["cooldown_secs"] + network.rules["penalty_secs"])


async def failure_of_ours_costs_no_penalty(network: Network) -> None:
    one = network.miner()
    for _ in range(3):
        network.server.script_verdict(hotkey=one.address, fail=True)
    _, answer, assigned = await pull_and_submit(one)
    assert_success(answer, "Not scored")
    assert answer.feedback.validation_failed is False
    assert_cooldown(answer, assigned, network.rules["cooldown_secs"])


async def resubmission_gets_the_same_feedback(network: Network) -> None:
    one = network.miner()
    network.server.script_verdict(hotkey=one.address, score=0.77)
    pull, first, _ = await pull_and_submit(one)
    again = await one.submit(pull.task, SPLAT)
    assert_success(again, "Success")
    assert again.feedback == first.feedback and again.feedback.generations_within_the_window == 1
    assert again.cooldown_until == first.cooldown_until


async def other_payload_for_a_closed_task_changes_nothing(network: Network) -> None:
    one = network.miner()
    pull, first, _ = await pull_and_submit(one)
    other = await one.submit(pull.task, SPLAT + b", another one")
    assert_success(other, "Unchanged")
    assert other.feedback.generations_within_the_window == 1
    assert other.cooldown_until == first.cooldown_until


async def parallel_submissions_count_once(network: Network) -> None:
    one = network.miner()
    pull = await one.pull()
    answers = await asyncio.gather(*(one.submit(pull.task, SPLAT) for _ in range(6)))
    for answer in answers:
        assert_success(answer, "Success")
        assert answer.feedback == answers[0].feedback
    assert answers[0].feedback.generations_within_the_window == 1


async def wrong_consent_signature_is_refused(network: Network) -> None:
    one = network.miner(signed_for=miner.keypair("another validator").ss58_address)
    _, answer, assigned = await pull_and_submit(one)
    assert_success(answer, "Rejected: the signature does not cover")
    assert answer.feedback.validation_failed is True
    assert answer.feedback.task_fidelity_score == 0.0
    assert_cooldown(answer, assigned, network.rules["cooldown_secs"] + network.rules["penalty_secs"])


async def old_miner_that_sends_the_whole_task_is_understood(network: Network) -> None:
    one = network.miner()
    pull = await one.pull()
    submit_time = time.time_ns()
    message = f"{MINER_LICENSE_CONSENT_DECLARATION}{submit_time}{pull.task.prompt}{network.validator}{one.address}"
    old = SubmitResults(
        task=pull.task,
        results=base64.b64encode(SPLAT).decode(),
        submit_time=submit_time,
        signature=base64.b64encode(one.wallet.hotkey.sign(message)).decode(),
    )
    assert old.task_id == ""
    async with bt.dendrite(wallet=one.wallet) as dendrite:
        answer = await dendrite.call(
            target_axon=one.metagraph.axons[VALIDATOR_UID], synapse=old, deserialize=False, timeout=30.0
        )
    assert_success(answer, "Success")
    assert answer.feedback.generations_within_the_window == 1
    assert answer.task_id == pull.task.id


async def submission_without_a_task_is_forbidden(network: Network) -> None:
    answer = await network.miner().submit(TextTask(prompt="a chair"), SPLAT)
    assert answer.dendrite.status_code == 403, answer.dendrite
    assert "no task assigned" in answer.dendrite.status_message


# --- cooldown ---


async def early_pulls_get_no_task_and_are_counted(network: Network) -> None:
    one = network.miner()
    _, answer, _ = await pull_and_submit(one)
    early = await one.pull()
    assert_success(early)
    assert early.task is None
    assert (early.cooldown_until, early.cooldown_violations) == (answer.cooldown_until, 1)
    # At most one violation a second counts.
    with network.server.later(secs=2):
        early = await one.pull()
    assert (early.task, early.cooldown_violations) == (None, 2)


async def task_is_there_when_the_cooldown_ends(network: Network) -> None:
    one = network.miner()
    pull, answer, _ = await pull_and_submit(one)
    # For the server the request is as old as its clock is ahead, which only a long timeout allows: hence not the
    # published function with its 12 s.
    with network.server.later(secs=answer.cooldown_until - time.time() + 0.5):
        async with bt.dendrite(wallet=one.wallet) as dendrite:
            next_pull = await dendrite.call(
                target_axon=one.metagraph.axons[VALIDATOR_UID], synapse=PullTask(), deserialize=False, timeout=300.0
            )
    assert_success(next_pull)
    assert next_pull.task is not None and next_pull.task.id != pull.task.id


# --- who calls ---


async def signature_of_another_key_is_refused(network: Network) -> None:
    victim = network.miner()
    pull = await network.imposter(victim, signer=miner.keypair("thief")).pull()
    assert pull.dendrite.status_code == 401, pull.dendrite
    assert pull.task is None


async def absent_signature_is_refused(network: Network) -> None:
    victim = network.miner()
    pull = await network.imposter(victim, signer=None).pull()
    assert pull.dendrite.status_code == 401, pull.dendrite
    assert pull.task is None


async def request_for_another_validator_is_refused(network: Network) -> None:
    one = network.miner()
    server, other = network.server, miner.keypair("another validator").ss58_address
    pull = await Miner(one.wallet, miner.metagraph(server.host, server.port, other)).pull()
    assert pull.dendrite.status_code == 401, pull.dendrite
    assert pull.task is None


async def one_dendrite_makes_ten_calls_in_sequence(network: Network) -> None:
    one = network.miner()
    async with bt.dendrite(wallet=one.wallet) as dendrite:
        pulls = [await call(dendrite, one) for _ in range(10)]
    assert_same_task(pulls)


async def one_dendrite_makes_ten_calls_in_parallel(network: Network) -> None:
    one = network.miner()
    async with bt.dendrite(wallet=one.wallet) as dendrite:
        pulls = await asyncio.gather(*(call(dendrite, one) for _ in range(10)))
    assert_same_task(pulls)


# --- with a client ---


async def image_task_goes_from_client_to_client(network: Network) -> None:
    server, one = network.server, network.miner()
    key, png = server.api_key(), picture()
    task = server.ask_by_picture(key, png)
    pull = await one.pull()
    assert_success(pull)
    assert isinstance(pull.task, ImageTask) and pull.task.id == task
    assert base64.b64decode(pull.task.prompt, validate=True) == png
    assert server.status(key, task) == "NoResult"
    # The consent covers the picture's base64: a bad one would be refused.
    answer = await one.submit(pull.task, SPLAT)
    assert_success(answer, "Success")
    assert answer.feedback.validation_failed is False
    await until_ended(network, key, task)
    assert server.result(key, task) == SPLAT


async def robocop_is_scored_within_the_timeout(network: Network) -> None:
    server, one = network.server, network.miner()
    splat = (network.fixtures / ROBOCOP_FILE).read_bytes()
    key = server.api_key()
    task = server.ask_in_words(key, ROBOCOP_PROMPT)
    asked_for = []

    def generate(task_type: str, prompt: str) -> bytes:
        asked_for.append((task_type, prompt))
        return splat

    started = time.time()
    [answer] = await one.work(generate)
    assert asked_for == [("text", ROBOCOP_PROMPT)]
    # "Success; verdict pending" would be an answer without a score.
    assert_success(answer, "Success")
    assert answer.feedback.validation_failed is False
    assert THRESHOLD <= answer.feedback.task_fidelity_score <= 1.0, answer.feedback
    assert answer.feedback.generations_within_the_window == 1
    assert_cooldown(answer, (started, time.time()), network.rules["cooldown_secs"])
    await until_ended(network, key, task)
    assert server.result(key, task) == splat


async def splat_that_breaks_off_is_refused(network: Network) -> None:
    one = network.miner()
    splat = (network.fixtures / ROBOCOP_FILE).read_bytes()
    _, answer, assigned = await pull_and_submit(one, splat[: len(splat) // 2])
    assert_success(answer, "Rejected: ")
    assert answer.feedback.validation_failed is True
    assert answer.feedback.task_fidelity_score == 0.0
    assert_cooldown(answer, assigned, network.rules["cooldown_secs"] + network.rules["penalty_secs"])


OFFLINE = [protocol_is_that_of_the_notebook]

SIMULATED = [
    pull_gives_a_task,
    repull_gives_the_same_task,
    unregistered_miner_is_sent_away,
    submission_is_answered_with_its_score,
    loop_of_the_notebook_runs,
    loop_that_fails_to_generate_passes,
    low_score_is_refused_with_a_penalty,
    failure_of_ours_costs_no_penalty,
    resubmission_gets_the_same_feedback,
    other_payload_for_a_closed_task_changes_nothing,
    parallel_submissions_count_once,
    wrong_consent_signature_is_refused,
    old_miner_that_sends_the_whole_task_is_understood,
    submission_without_a_task_is_forbidden,
    early_pulls_get_no_task_and_are_counted,
    task_is_there_when_the_cooldown_ends,
    signature_of_another_key_is_refused,
    absent_signature_is_refused,
    request_for_another_validator_is_refused,
    one_dendrite_makes_ten_calls_in_sequence,
    one_dendrite_makes_ten_calls_in_parallel,
    image_task_goes_from_client_to_client,
]

SCORED = [robocop_is_scored_within_the_timeout, splat_that_breaks_off_is_refused]


# --- what the scenarios share ---

Window = tuple[float, float]


async def pull_and_submit(one: Miner, splat: bytes = SPLAT) -> tuple[PullTask, SubmitResults, Window]:
    """Pulls and submits at once; gives both answers and the span in which the task was assigned."""
    before = time.time()
    pull = await one.pull()
    assigned = (before, time.time())
    assert_success(pull)
    return pull, await one.submit(pull.task, splat), assigned


async def call(dendrite: bt.dendrite, one: Miner) -> PullTask:
    """A pull by a dendrite that lives on, with the published arguments."""
    return await dendrite.call(
        target_axon=one.metagraph.axons[VALIDATOR_UID], synapse=PullTask(), deserialize=False, timeout=12.0
    )


async def until_ended(network: Network, key: str, task: str) -> None:
    """Waits for a client's task to end well: at once, as nobody else holds it."""
    deadline = time.monotonic() + TASK_ENDS_WITHIN_SECS
    while (status := network.server.status(key, task)) == "NoResult" and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert status == "Success", status


def assert_success(answer: PullTask | SubmitResults, message: str = "Success") -> None:
    """HTTP 200 in the SDK's eyes, with a status message that begins so; `Success` must stand alone."""
    assert answer.dendrite.status_code == 200, answer.dendrite
    assert answer.is_success, answer.dendrite
    said = answer.dendrite.status_message
    assert said == message if message == "Success" else said.startswith(message), said


def assert_same_task(pulls: list[PullTask]) -> None:
    """Every pull was answered with one and the same task."""
    for pull in pulls:
        assert_success(pull)
    assert len({pull.task.id for pull in pulls}) == 1


def assert_cooldown(answer: SubmitResults, assigned: Window, cooldown_secs: int) -> None:
    """A miner that is faster than the throttle waits for the cooldown from when it got its task."""
    earliest, latest = assigned
    assert int(earliest) + cooldown_secs <= answer.cooldown_until <= latest + cooldown_secs, (assigned, answer)


def picture() -> bytes:
    """A small PNG: 8 by 8 pixels, a gradient in red."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + b"".join(bytes((32 * x, 0, 0)) for x in range(8))
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(row * 8)) + chunk(b"IEND", b"")
