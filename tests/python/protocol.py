"""The protocol of SN17's miners, word for word as the subnet's notebook (`system.md`) publishes it.

Nothing between the two marks is ours; the test `protocol_is_that_of_the_notebook` looks each part up in the notebook.
Only the order of the parts is Python's instead of the notebook's, as a class must stand before what names it.
"""

import base64
import time
import uuid
from typing import Literal

import bittensor as bt
from pydantic import BaseModel, Field

# --- as published ---


class TextTask(BaseModel):
    type: Literal["text"] = "text"
    id: str = Field(default_factory=lambda: str(uuid.uuid4()), description="Unique task identifier")
    prompt: str = Field(default="", description="Prompt text for 3D model generation")


class ImageTask(BaseModel):
    type: Literal["image"] = "image"
    id: str = Field(default_factory=lambda: str(uuid.uuid4()), description="Unique task identifier")
    prompt: str = Field(default="", description="Base64-encoded image data for 3D model generation")


ProtocolTask = TextTask | ImageTask
ProtocolTaskType = Literal["text", "image"]


class Feedback(BaseModel):
    """Feedback model for miner task validation and performance tracking."""

    validation_failed: bool = Field(default=False, description="True if the validator rejected this task")
    task_fidelity_score: float = Field(default=0.0, description="Fidelity score (0.0-1.0)")
    average_fidelity_score: float = Field(default=0.0, description="Exponential moving average fidelity score")
    generations_within_the_window: int = Field(default=0, description="Accepted generations in the last 4 hours")
    current_duel_rating: float = Field(default=0.0, description="Current Glicko2 duel rating")
    current_miner_reward: float = Field(default=0.0, description="Latest calculated reward value")


class PullTask(bt.Synapse):
    """Miner requesting a new task from the validator."""

    task: ProtocolTask | None = Field(default=None, description="Task assigned by validator")
    validation_threshold: float = Field(
        default=0.6,
        description="Minimum fidelity score required for acceptance. "
        "Below-threshold results are rejected and penalized."
    )
    throttle_period: int = Field(
        default=0,
        description="Minimum expected completion time in seconds. "
        "Used to compute cooldown adjustments. Detailed later in *Key Concepts*."
    )
    cooldown_until: int = Field(
        default=0, description="Unix timestamp when the miner can request the next task"
    )
    cooldown_violations: int = Field(
        default=0,
        description="Number of times the miner violated cooldown rules. Explained later in *Key Concepts*."
    )


class SubmitResults(bt.Synapse):
    """Miner submitting generation results."""

    task: ProtocolTask | None = Field(default=None, description="[Deprecated] Original task reference")
    task_id: str = Field(default="", description="Identifier of the task being submitted")
    results: str = Field(description="Generated PLY data, encoded as a string")
    data_format: str = Field(default="ply", description="Reserved for future use")
    data_ver: int = Field(default=0, description="Reserved for future use")
    compression: int = Field(
        default=2,
        description="Compression method identifier (spz compression required: https://github.com/404-Repo/spz)",
    )
    submit_time: int = Field(description="Submission timestamp in nanoseconds")
    signature: str = Field(
        description="Miner signature: "
        "b64encode(sign(f'{MINER_LICENSE_CONSENT_DECLARATION}{submit_time}{prompt}{validator.hotkey}{miner.hotkey}'))"
    )
    feedback: Feedback | None = Field(default=None, description="Feedback provided by the validator")
    cooldown_until: int = Field(
        default=0, description="UTC time when miner can pull the next task from this validator"
    )


MINER_LICENSE_CONSENT_DECLARATION = (
    "I, as a miner on SN17, have obtained all licenses, rights and consents required to use, reproduce, "
    "modify, display, distribute and make available my submitted results to this subnet and its end users"
)


async def pull_task(validator_uid: int, wallet: bt.wallet, metagraph: bt.metagraph) -> PullTask:
    async with bt.dendrite(wallet=wallet) as dendrite:
        synapse = PullTask()
        return await dendrite.call(
            target_axon=metagraph.axons[validator_uid], synapse=synapse, deserialize=False, timeout=12.0
        )


async def submit_results(
    validator_uid: int, wallet: bt.wallet, metagraph: bt.metagraph, task: ProtocolTask, compressed_results: str
) -> SubmitResults:
    async with bt.dendrite(wallet=wallet) as dendrite:
        submit_time = time.time_ns()
        message = (
            f"{MINER_LICENSE_CONSENT_DECLARATION}"
            f"{submit_time}{task.prompt}{metagraph.hotkeys[validator_uid]}{wallet.hotkey.ss58_address}"
        )
        signature = base64.b64encode(dendrite.keypair.sign(message)).decode("utf-8")
        synapse = SubmitResults(
            task_id=task.id, results=compressed_results, submit_time=submit_time, signature=signature
        )
        return await dendrite.call(
            target_axon=metagraph.axons[validator_uid], synapse=synapse, deserialize=False, timeout=30.0
        )


# --- as published, end ---
