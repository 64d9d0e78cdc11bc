"""Where the public weights come from: the Hugging Face hub and torchvision's server, or a folder of downloads."""

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path


class WeightsError(Exception):
    """Weights cannot be had or do not fit; the message says what to do next."""


@dataclass(frozen=True)
class Source:
    """A file of weights: in a folder of downloads it lies in `folder`, under one of `files`, the first found."""

    folder: str
    files: tuple
    repository: str = ""
    revision: str = "main"
    url: str = ""


# Revisions are those of the original validation service where it pins one.
CLIP = Source(
    "CLIP-convnext_large_d.laion2B-s26B-b102K-augreg",
    ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
    repository="laion/CLIP-convnext_large_d.laion2B-s26B-b102K-augreg",
)
LLM2CLIP = Source(
    "LLM2CLIP-Openai-L-14-336",
    ("model.safetensors", "pytorch_model.bin"),
    repository="microsoft/LLM2CLIP-Openai-L-14-336",
    revision="92512331f393a003c3d98404677f991c188162c9",
)
DINOV2 = Source(
    "dinov2-small",
    ("model.safetensors", "pytorch_model.bin"),
    repository="facebook/dinov2-small",
    revision="150c8e7bb7cef2d30ec31b13a517af14840ee3f7",
)
QUALITY = Source(
    "validation",
    ("quality_scorer.safetensors",),
    repository="404-Gen/validation",
    revision="948bf06988b630681c7bc468aebf2bbe010856f7",
)
ALEXNET = Source(
    "alexnet",
    ("alexnet-owt-7be5be79.pth",),
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
)

HELP = (
    "give a folder of downloaded weights with --weights DIR (docs/models.md says which files it holds), "
    "or make models of the same shapes with random weights with --random"
)


class Store:
    """Finds weights in a folder of downloads, or downloads them; remembers what it gave."""

    def __init__(self, folder):
        self.folder = Path(folder) if folder else None
        self.used = []

    def path(self, source):
        """The file of a source on this machine."""
        path = self._local(source) if self.folder else self._downloaded(source)
        self.used.append(
            {
                "source": source.repository or source.url,
                "revision": source.revision if source.repository else "",
                "file": path.name,
                "sha256": sha256(path),
            }
        )
        return path

    def state(self, source):
        """The tensors of a source by name."""
        import torch
        from safetensors.torch import load_file

        path = self.path(source)
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)

    def _local(self, source):
        for name in source.files:
            for path in (self.folder / source.folder / name, self.folder / name):
                if path.is_file() and (path.parent != self.folder or len(source.files) == 1):
                    return path
        names = " or ".join(f"`{source.folder}/{name}`" for name in source.files)
        raise WeightsError(
            f"the folder `{self.folder}` holds no {names}; "
            f"download it from {source.repository or source.url} or leave --weights out"
        )

    def _downloaded(self, source):
        if source.url:
            return self._from_server(source)
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        for name in source.files:
            try:
                return Path(hf_hub_download(source.repository, name, revision=source.revision))
            except LocalEntryNotFoundError as error:
                raise WeightsError(
                    f"cannot reach the Hugging Face hub for {source.repository} ({first_line(error)}); {HELP}"
                ) from error
            except EntryNotFoundError:
                continue
            except Exception as error:
                raise WeightsError(
                    f"cannot download {name} of {source.repository} ({first_line(error)}); {HELP}"
                ) from error
        raise WeightsError(f"{source.repository} has none of the files {', '.join(source.files)}; {HELP}")

    def _from_server(self, source):
        import torch

        target = Path(torch.hub.get_dir()) / "checkpoints" / source.files[0]
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            prefix = target.stem.rsplit("-", 1)[1]
            try:
                torch.hub.download_url_to_file(source.url, str(target), prefix, progress=sys.stderr.isatty())
            except Exception as error:
                raise WeightsError(f"cannot download {source.url} ({first_line(error)}); {HELP}") from error
        return target


def fit(module, state, what):
    """Loads tensors into a module, every one of its own and no other."""
    import torch

    missing = [name for name in module.state_dict() if name not in state]
    if missing:
        raise WeightsError(f"the weights of {what} lack `{missing[0]}` and {len(missing) - 1} more; {HELP}")
    try:
        module.load_state_dict({name: tensor.to(torch.float32) for name, tensor in state.items()})
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise WeightsError(f"the weights of {what} do not fit: {lines[-1]}; {HELP}") from error


def with_prefix(state, prefix):
    """The tensors below a prefix, which is cut off."""
    return {name[len(prefix) :]: tensor for name, tensor in state.items() if name.startswith(prefix)}


def sha256(path):
    """The SHA-256 of a file in lower-case hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def first_line(error):
    """The first line of an exception's message, or its name."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
