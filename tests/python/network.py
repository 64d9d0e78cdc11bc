"""A server with a supply of registered miners, fresh ones for every scenario."""

from pathlib import Path

from bittensor_wallet import Keypair

import miner
from miner import Imposter, Miner
from deployment import Deployment
from server import Server

# Each scenario takes the miners it needs and leaves them with whatever cooldown they earned.
REGISTERED_MINERS = 40
MINERS = [f"miner-{number}" for number in range(REGISTERED_MINERS)]
# One miner per task, so that what a scenario adds is not handed to the miners of the next one.
POLICY = {"tasks": {"copies": 1}}
# The original's rules, where a server's policy leaves them as they are.
MINER_RULES = {"cooldown_secs": 300, "penalty_secs": 600, "throttle_secs": 30}


def addresses() -> list[str]:
    """The registered miners."""
    return [miner.keypair(name).ss58_address for name in MINERS]


def process(binary: str, folder: Path, simulate: bool) -> Server:
    """A server of our own."""
    return Server(binary, folder, miner.keypair("validator").ss58_address, addresses(), POLICY, simulate)


class Network:
    """A running server and the miners that it knows."""

    def __init__(self, server: Server | Deployment, folder: Path, fixtures: Path | None):
        self.server = server
        self.fixtures = fixtures
        self.wallets_folder = folder / "wallets"
        self.validator = server.validator
        self.unused = iter(MINERS)
        self.rules = MINER_RULES | server.policy.get("miners", {})

    def __enter__(self) -> "Network":
        self.server.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self.server.__exit__(*reason)

    def miner(self, signed_for: str | None = None) -> Miner:
        """A registered miner that has done nothing yet; its consent names `signed_for` instead of the validator."""
        return self._miner(next(self.unused), signed_for)

    def stranger(self) -> Miner:
        """A miner that is not registered."""
        return self._miner("stranger")

    def imposter(self, of: Miner, signer: Keypair | None) -> Miner:
        """Somebody who claims to be `of`."""
        return Miner(Imposter(of.address, signer), of.metagraph)

    def _miner(self, name: str, signed_for: str | None = None) -> Miner:
        metagraph = miner.metagraph(self.server.host, self.server.port, self.validator, signed_for)
        return Miner(miner.wallet(name, self.wallets_folder), metagraph)
