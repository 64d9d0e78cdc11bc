"""Makes the five graphs of a models folder and compares each with the PyTorch network it was made from.

`python export.py OUT (--random | --weights DIR | --hub) [--half]` writes one ONNX file a role, the tokenizer's merge
list and `export.json`, the report. Standard output has one JSON object a line: {"progress": TEXT} as work goes on,
{"error": TEXT} at the end when it fails.
"""

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path

import frames as pictures
import weights
from weights import WeightsError

OPSET = 17
# The most that a graph may differ from its original, in the graph's own units: the largest difference of a component
# of a unit vector, of a quality, of a distance.
TOLERANCE = {"clip_image": 1e-5, "clip_text": 1e-5, "image_image": 1e-5, "iqa": 1e-5, "lpips": 1e-5}
TOLERANCE_HALF = {"clip_image": 5e-3, "clip_text": 5e-3, "image_image": 5e-3, "iqa": 2e-2, "lpips": 5e-3}
# A comparison says nothing when the network answers alike whatever it is shown: results of different inputs must be
# at least this many times further apart than graph and original.
SPREAD_MIN, SPREAD_MIN_HALF = 100.0, 1.0
SEEDS = {"clip_image": 17, "clip_text": 17, "image_image": 18, "iqa": 19, "lpips": 20}
PROMPTS = ["a hamburger", "a red robot with a hammer in one hand", ""]


def say(**event):
    print(json.dumps(event), flush=True)


def progress(text):
    say(progress=text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--random", action="store_true")
    origin.add_argument("--weights", type=Path)
    origin.add_argument("--hub", action="store_true")
    parser.add_argument("--half", action="store_true")
    parser.add_argument("--roles", nargs="*", default=list(TOLERANCE), choices=list(TOLERANCE))
    args = parser.parse_args()
    try:
        run(args)
    except WeightsError as error:
        say(error=str(error))
        sys.exit(1)
    except ImportError as error:
        say(error=f"the Python environment is not complete: {error}; install the packages of requirements.txt")
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        say(error=f"{type(error).__name__}: {weights.first_line(error)}")
        sys.exit(1)


def run(args):
    progress("loading PyTorch")
    import open_clip
    import torch

    warnings.filterwarnings("ignore")
    torch.set_grad_enabled(False)
    # The fast path of nn.MultiheadAttention is one operator that ONNX does not have.
    torch.backends.mha.set_fastpath_enabled(False)
    store = None if args.random else weights.Store(args.weights)
    if store:
        fetch(store, args.roles)
    models = {}
    for number, role in enumerate(args.roles, 1):
        models[role] = export(role, f"[{number}/{len(args.roles)}] {role}", args, store)
        gc.collect()
    vocabulary = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
    shutil.copyfile(vocabulary, args.out / vocabulary.name)
    report = {
        "origin": "random" if args.random else "weights",
        "half": args.half,
        "opset": OPSET,
        "vocabulary": vocabulary.name,
        "sources": unique(store.used) if store else [],
        "packages": packages(),
        "models": models,
    }
    (args.out / "export.json").write_text(json.dumps(report, indent=2) + "\n")


def fetch(store, roles):
    """Has every file at hand before the first graph is made, so that a missing one is known at once."""
    needed = {
        "clip_image": [weights.CLIP],
        "clip_text": [weights.CLIP],
        "image_image": [weights.LLM2CLIP],
        "iqa": [weights.QUALITY],
        "lpips": [weights.ALEXNET],
    }
    for source in dict.fromkeys(source for role in roles for source in needed[role]):
        progress(f"weights of {source.repository or source.url}")
        store.path(source)


def export(role, label, args, store):
    """Makes, writes and checks the graph of a role; gives its entry in the report."""
    import onnx
    import torch

    begun = time.monotonic()
    progress(f"{label}: building the network with {'random' if args.random else 'public'} weights")
    module = build(role, store).eval()
    inputs = [tuple(torch.from_numpy(array) for array in batch) for batch in samples(role)]
    progress(f"{label}: running the original")
    expected = [module.original(*batch).numpy() for batch in inputs]

    progress(f"{label}: tracing{' in half precision' if args.half else ''}")
    if args.half:
        module = module.half()
    path = args.out / f"{role}.onnx"
    torch.onnx.export(
        module,
        inputs[1],
        str(path),
        dynamo=False,
        opset_version=OPSET,
        input_names=module.inputs,
        output_names=module.outputs,
        dynamic_axes=dynamic_axes(role, module),
    )
    facts = None
    for part in (module, getattr(module, "pixels", None)):
        facts = facts or (part.facts() if hasattr(part, "facts") else None)
    del module
    gc.collect()
    onnx.checker.check_model(str(path))

    progress(f"{label}: running the graph of {path.stat().st_size / 1e6:.0f} MB in ONNX Runtime")
    agreement = check(role, path, inputs, expected, args.half)
    progress(
        f"{label}: differs from the original by {agreement['difference']:.1e}, allowed {agreement['tolerance']:.0e}; "
        f"inputs differ by {agreement['spread']:.1e} ({time.monotonic() - begun:.0f} s)"
    )
    return {"file": path.name, "preprocessing": facts, "agreement": agreement}


def build(role, store):
    """The network of a role, with the store's weights or, without a store, random ones."""
    import networks

    if role in ("clip_image", "clip_text"):
        clip = networks.open_clip_model()
        if store:
            weights.fit(clip, store.state(weights.CLIP), weights.CLIP.folder)
        else:
            networks.scatter(clip, SEEDS[role])
        return networks.ClipImage(clip) if role == "clip_image" else networks.ClipText(clip)
    if role == "image_image":
        vision = networks.llm2clip_vision()
        if store:
            state = store.state(weights.LLM2CLIP)
            parts = ("vision_model.", "visual_projection.")
            state = {name: tensor for name, tensor in state.items() if name.startswith(parts)}
            # Older versions of transformers stored the numbers of the positions with the weights.
            state.pop("vision_model.embeddings.position_ids", None)
            weights.fit(vision, state, weights.LLM2CLIP.folder)
        else:
            networks.scatter(vision, SEEDS[role])
        return networks.ImageImage(vision)
    if role == "iqa":
        backbone, head = networks.dinov2_small()
        if store:
            state = store.state(weights.QUALITY)
            own = weights.with_prefix(state, "backbone.") or store.state(weights.DINOV2)
            weights.fit(backbone, own, weights.DINOV2.folder)
            weights.fit(head, weights.with_prefix(state, "score_head."), weights.QUALITY.files[0])
        else:
            networks.scatter(backbone, SEEDS[role])
            networks.scatter(head, SEEDS[role])
        return networks.Iqa(backbone, head)
    network = networks.lpips_network()
    if store:
        alexnet(network, weights.with_prefix(store.state(weights.ALEXNET), "features."))
    else:
        networks.scatter(network.net, SEEDS[role])
    return networks.Lpips(network)


def alexnet(network, features):
    """Gives LPIPS the convolutions of torchvision's AlexNet; its slices number their layers as `features` does."""
    own = {name: ".".join(name.split(".")[-2:]) for name in network.net.state_dict()}
    lacking = [name for name in own.values() if name not in features]
    if lacking:
        raise WeightsError(f"the weights of AlexNet lack `features.{lacking[0]}`; {weights.HELP}")
    weights.fit(network.net, {name: features[feature] for name, feature in own.items()}, "AlexNet")


def samples(role):
    """Two batches of inputs for a role, of different lengths, the second also the one that is traced."""
    if role == "clip_text":
        import open_clip
        from networks import OPEN_CLIP_NAME

        tokens = open_clip.get_tokenizer(OPEN_CLIP_NAME)(PROMPTS).numpy()
        return [(tokens,), (tokens[:2],)]
    if role == "image_image":
        return [(pictures.frames(3),), (pictures.frames(2, width=301, height=200),)]
    if role == "lpips":
        frames = pictures.frames(3)
        return [(frames, frames[[1, 2, 2]]), (frames[:2], frames[[2, 0]])]
    return [(pictures.frames(3),), (pictures.frames(2)[::-1].copy(),)]


def dynamic_axes(role, module):
    batch = "b" if role == "clip_text" else "n"
    axes = {name: {0: batch} for name in module.inputs + module.outputs}
    if role == "image_image":
        axes["images"] = {0: "n", 1: "h", 2: "w"}
    return axes


def check(role, path, inputs, expected, half):
    """Runs the graph over every batch and compares; raises when it is further away than allowed."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    difference, spread = 0.0, 0.0
    for batch, original in zip(inputs, expected):
        result = session.run(None, dict(zip(names, (tensor.numpy() for tensor in batch))))[0]
        if result.shape != original.shape or result.dtype != np.float32:
            raise WeightsError(f"the graph of {role} gives {result.dtype} {result.shape}, not f32 {original.shape}")
        if not np.isfinite(result).all():
            raise WeightsError(f"the graph of {role} gives figures that are no numbers")
        difference = max(difference, float(np.abs(result - original).max()))
        spread = max(spread, float(np.abs(original - original[::-1]).max()))
    tolerance = (TOLERANCE_HALF if half else TOLERANCE)[role]
    if difference > tolerance:
        raise WeightsError(f"the graph of {role} differs from its original by {difference:.1e}, allowed {tolerance:.0e}")
    if spread < (SPREAD_MIN_HALF if half else SPREAD_MIN) * difference:
        raise WeightsError(
            f"the original of {role} answers alike to different inputs ({spread:.1e} apart), so the difference of "
            f"{difference:.1e} shows nothing"
        )
    return {"difference": difference, "tolerance": tolerance, "spread": spread}


def packages():
    names = ["torch", "torchvision", "onnx", "onnxruntime", "open_clip_torch", "transformers", "timm", "torchmetrics"]
    found = {name: importlib.metadata.version(name) for name in [*names, "numpy"]}
    return {"python": platform.python_version(), **found}


def unique(entries):
    return list({entry["sha256"]: entry for entry in entries}.values())


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    main()
