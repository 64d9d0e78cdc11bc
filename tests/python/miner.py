"""A miner of SN17: the notebook's protocol over an unmodified bittensor SDK.

What stands in for the notebook's parts, and why:

* the external IP look-up of the SDK gives 203.0.113.7 (RFC 5737) instead of asking a web service: the only patch to
  the SDK, for tests that talk to nobody outside;
* in bittensor 10 `bt.dendrite`, `bt.wallet` and `bt.metagraph` are gone; their 10.x names are given the old ones, so
  that the published functions run as they are;
* wallets are throwaway keys made from seeds in a temporary folder, instead of `bt.wallet()` of the user;
* the metagraph is a stub with the two lists that the functions read, instead of one synchronised from the chain;
* the loop runs a given number of rounds, has wallet and metagraph as arguments, and returns the answers instead of
  sleeping for the cooldown;
* the codec: `generate` gives a splat that is compressed already, instead of a PLY for `pyspz.compress`; so the
  notebook's imports of `pyspz` and `open3d` are gone, and `protocol.py` stands for its `common.protocol`.
"""

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import bittensor as bt
from bittensor.utils import networking
from bittensor_wallet import Keypair, Wallet

networking.get_external_ip = lambda: "203.0.113.7"
for published, since_10 in (("dendrite", "Dendrite"), ("wallet", "Wallet"), ("metagraph", "Metagraph")):
    if not hasattr(bt, published):
        setattr(bt, published, getattr(bt, since_10))

from protocol import ProtocolTask, PullTask, SubmitResults, pull_task, submit_results  # noqa: E402  (names above)

# The place of the one validator in the stub metagraph.
VALIDATOR_UID = 0


def keypair(name: str) -> Keypair:
    """The throwaway keypair that belongs to a name."""
    return Keypair.create_from_seed(hashlib.sha256(f"throwaway {name}".encode()).hexdigest())


def wallet(name: str, folder: Path) -> Wallet:
    """A wallet in `folder` whose hotkey is the throwaway keypair of that name."""
    made = Wallet(name=name, hotkey="default", path=str(folder))
    made.set_hotkey(keypair=keypair(name), encrypt=False, overwrite=True)
    return made


@dataclass(frozen=True)
class Metagraph:
    """What the published functions read of a metagraph."""

    axons: list[bt.AxonInfo]
    hotkeys: list[str]


def metagraph(host: str, port: int, validator: str, signed_for: str | None = None) -> Metagraph:
    """A metagraph with one validator; miners sign their consent for `signed_for`, if that is another hotkey."""
    axon = bt.AxonInfo(version=1, ip=host, port=port, ip_type=4, hotkey=validator, coldkey=validator)
    return Metagraph(axons=[axon], hotkeys=[signed_for or validator])


class Imposter:
    """Goes by the address of one keypair and signs with another; a dendrite takes it for a keypair."""

    def __init__(self, ss58_address: str, signer: Keypair | None):
        self.ss58_address = ss58_address
        self.signer = signer

    @property
    def hotkey(self) -> "Imposter":
        return self

    def sign(self, message: str) -> bytes:
        """A signature of the other keypair, or none at all."""
        return b"" if self.signer is None else self.signer.sign(message)


@dataclass(frozen=True)
class Miner:
    """A wallet and the validator it works with."""

    wallet: Wallet | Imposter
    metagraph: Metagraph

    @property
    def address(self) -> str:
        return self.wallet.hotkey.ss58_address

    async def pull(self) -> PullTask:
        """The published `pull_task`."""
        return await pull_task(validator_uid=VALIDATOR_UID, wallet=self.wallet, metagraph=self.metagraph)

    async def submit(self, task: ProtocolTask, splat: bytes) -> SubmitResults:
        """The published `submit_results`, for a splat that is compressed already; an empty one passes the task."""
        return await submit_results(
            validator_uid=VALIDATOR_UID,
            wallet=self.wallet,
            metagraph=self.metagraph,
            task=task,
            compressed_results=base64.b64encode(splat).decode("utf-8"),
        )

    async def work(self, generate: Callable[[str, str], bytes | None], rounds: int = 1) -> list[SubmitResults]:
        """The published loop: pull, generate, submit; see the top of this file for what differs."""
        answers = []
        for _ in range(rounds):
            synapse = await self.pull()
            splat = generate(synapse.task.type, synapse.task.prompt)
            if splat is None:  # failed to generate or low quality
                feedback = await self.submit(synapse.task, b"")
            else:
                feedback = await self.submit(synapse.task, splat)
            answers.append(feedback)
        return answers
