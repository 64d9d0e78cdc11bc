"""A server with a supply of registered miners, fresh ones for every scenario."""

from pathlib import Path

from bittensor_wallet import Keypair

import miner
from miner import Imposter, Miner
from server import Server

# Each scenario takes the miners it needs and leaves them with whatever cooldown they earned.
REGISTERED_MINERS = 40
# One miner per task, so that what a scenario adds is not handed to the miners of the next one.
POLICY = {"tasks": {"copies": 1}}


class Network:
    """A running server and the miners that it knows."""

    def __init__(self, binary: str, folder: Path, fixtures: Path | None, simulate: bool):
        self.fixtures = fixtures
        self.wallets_folder = folder / "wallets"
        self.validator = miner.keypair("validator").ss58_address
        names = [f"miner-{number}" for number in range(REGISTERED_MINERS)]
        self.unused = iter(names)
        addresses = [miner.keypair(name).ss58_address for name in names]
        self.server = Server(binary, folder, self.validator, addresses, POLICY, simulate)

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
