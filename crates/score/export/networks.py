"""The five networks of the original validation service, with raw frames in and plain figures out.

Each class holds the original network and says twice what it computes: `original` as the validation service does,
through the libraries' own calls; `forward` in the form that becomes an ONNX graph. `export.py` compares the two.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

# The CLIP constants. The validation service multiplies both by 3; its scores need the same.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_FACTOR = 3.0
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CLIP_PX = 224
IMAGE_PX = 336
IQA_PX = 518
LPIPS_PX = 256

OPEN_CLIP_NAME = "convnext_large_d"
LLM2CLIP_LENGTH = 1280


def pixels(frames):
    """u8 [n, h, w, 3] to f32 [n, 3, h, w] in 0..1."""
    return frames.permute(0, 3, 1, 2).to(torch.float32) / 255.0


def resize(images, size_px, mode):
    """Resampling without antialiasing, as the validation service has it."""
    return F.interpolate(images, size=(size_px, size_px), mode=mode, align_corners=False)


class Pixels(nn.Module):
    """Resizing and normalisation, in single precision whatever the network computes in."""

    def __init__(self, size_px, mode, mean, std):
        super().__init__()
        self.size_px, self.mode = size_px, mode
        self.mean, self.std = [float(value) for value in mean], [float(value) for value in std]

    def forward(self, frames):
        images = resize(pixels(frames), self.size_px, self.mode)
        mean = torch.tensor(self.mean, dtype=torch.float32).view(1, 3, 1, 1)
        std = torch.tensor(self.std, dtype=torch.float32).view(1, 3, 1, 1)
        return (images - mean) / std

    def facts(self):
        """What the manifest says about it."""
        return {"size_px": self.size_px, "filter": self.mode, "mean": self.mean, "std": self.std}


def unit(vectors):
    """Vectors of length 1, computed in single precision."""
    vectors = vectors.to(torch.float32)
    return vectors / vectors.norm(dim=-1, keepdim=True)


def times(values, factor):
    return tuple(value * factor for value in values)


class ClipImage(nn.Module):
    """The picture tower of OpenCLIP convnext_large_d, fed at 224 px."""

    inputs, outputs = ["frames"], ["embeddings"]

    def __init__(self, clip):
        super().__init__()
        self.pixels = Pixels(CLIP_PX, "bicubic", times(CLIP_MEAN, CLIP_FACTOR), times(CLIP_STD, CLIP_FACTOR))
        self.visual = clip.visual

    def forward(self, frames):
        images = self.pixels(frames)
        return unit(self.visual(images.to(next(self.visual.parameters()).dtype)))

    def original(self, frames):
        from torchvision.transforms import Normalize

        factor = torch.tensor(CLIP_FACTOR)
        normalize = Normalize(torch.tensor(CLIP_MEAN) * factor, torch.tensor(CLIP_STD) * factor)
        features = self.visual(normalize(resize(pixels(frames), CLIP_PX, "bicubic")))
        return F.normalize(features, dim=-1)


class ClipText(nn.Module):
    """The text tower of OpenCLIP convnext_large_d."""

    inputs, outputs = ["tokens"], ["embeddings"]

    def __init__(self, clip):
        super().__init__()
        clip.visual = nn.Identity()
        self.clip = clip

    def forward(self, tokens):
        clip = self.clip
        x = clip.token_embedding(tokens) + clip.positional_embedding
        for block in clip.transformer.resblocks:
            x = x + self.attention(block.attn, block.ln_1(x))
            x = x + block.mlp(block.ln_2(x))
        # The end mark has the highest id of all tokens.
        at_end = F.one_hot(tokens.argmax(dim=-1), tokens.shape[1]).to(x.dtype)
        return unit((at_end.unsqueeze(1) @ clip.ln_final(x)).squeeze(1) @ clip.text_projection)

    def attention(self, attention, x):
        """What nn.MultiheadAttention computes; its own tracing leaves hundreds of reshapes around each layer, over
        which ONNX Runtime 1.32 falls in half precision."""
        heads, width = attention.num_heads, x.shape[2]
        qkv = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = (part.unflatten(2, (heads, width // heads)).transpose(1, 2) for part in qkv.chunk(3, dim=2))
        logits = (q * (width // heads) ** -0.5) @ k.transpose(2, 3) + self.clip.attn_mask
        return attention.out_proj((logits.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))

    def original(self, tokens):
        return self.clip.encode_text(tokens, normalize=True)


class ImageImage(nn.Module):
    """The picture tower of LLM2CLIP-Openai-L-14-336 with its projection."""

    inputs, outputs = ["images"], ["embeddings"]

    def __init__(self, vision):
        super().__init__()
        self.pixels = Pixels(IMAGE_PX, "bicubic", times(CLIP_MEAN, CLIP_FACTOR), times(CLIP_STD, CLIP_FACTOR))
        self.vision = vision

    def forward(self, images):
        images = self.pixels(images).to(self.vision.visual_projection.weight.dtype)
        pooled = self.vision.vision_model(pixel_values=images).pooler_output
        return unit(self.vision.visual_projection(pooled))

    def original(self, images):
        from torchvision.transforms import Normalize

        factor = torch.tensor(CLIP_FACTOR)
        normalize = Normalize(torch.tensor(CLIP_MEAN) * factor, torch.tensor(CLIP_STD) * factor)
        images = normalize(resize(pixels(images), IMAGE_PX, "bicubic"))
        return F.normalize(self.vision(pixel_values=images).image_embeds, dim=-1)


class Iqa(nn.Module):
    """DINOv2-small with a linear head over its class token."""

    inputs, outputs = ["frames"], ["quality"]

    def __init__(self, backbone, score_head):
        super().__init__()
        self.pixels = Pixels(IQA_PX, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
        self.backbone, self.score_head = backbone, score_head

    def forward(self, frames):
        images = self.pixels(frames).to(self.score_head.weight.dtype)
        # Frames have the size that the positions were learned for, so their interpolation is the identity; traced,
        # it would become a part of the graph.
        embeddings = self.backbone.embeddings
        embeddings.interpolate_pos_encoding = lambda *_: embeddings.position_embeddings
        try:
            tokens = self.backbone(images).last_hidden_state
        finally:
            del embeddings.interpolate_pos_encoding
        return torch.sigmoid(self.score_head(tokens[:, 0]).to(torch.float32)).squeeze(1)

    def original(self, frames):
        mean = torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
        images = (resize(pixels(frames), IQA_PX, "bilinear") - mean) / std
        scores = [self.score_head(self.backbone(image[None]).last_hidden_state[:, 0]) for image in images]
        return torch.sigmoid(torch.cat(scores)).squeeze(1)


class Lpips(nn.Module):
    """LPIPS on AlexNet with torchmetrics' linear heads."""

    inputs, outputs = ["left", "right"], ["distance"]

    def __init__(self, network):
        super().__init__()
        self.network = network

    def pixels_of(self, frames):
        return torch.clamp(resize(pixels(frames), LPIPS_PX, "bicubic"), 0.0, 1.0)

    def forward(self, left, right):
        dtype = self.network.lin0.model[1].weight.dtype
        left, right = self.pixels_of(left).to(dtype), self.pixels_of(right).to(dtype)
        # The network's own forward, but with the norms and sums of channels in single precision: in half, a sum
        # over hundreds of squares loses what the distance of two neighbouring views is made of.
        left, right = (self.network.scaling_layer(2 * images - 1).to(dtype) for images in (left, right))
        distance = 0.0
        for head, a, b in zip(self.network.lins, self.network.net(left), self.network.net(right)):
            a, b = (x.to(torch.float32) / torch.sqrt(1e-8 + (x.to(torch.float32) ** 2).sum(1, keepdim=True)) for x in (a, b))
            weights = head.model[1].weight.to(torch.float32)
            distance = distance + F.conv2d((a - b) ** 2, weights).mean([1, 2, 3])
        return distance

    def original(self, left, right):
        return self.network(self.pixels_of(left), self.pixels_of(right), normalize=True).flatten()

    def facts(self):
        """The scaling layer of LPIPS, moved from -1..1 to 0..1."""
        shift = self.network.scaling_layer.shift.flatten().tolist()
        scale = self.network.scaling_layer.scale.flatten().tolist()
        return {
            "size_px": LPIPS_PX,
            "filter": "bicubic, clipped",
            "mean": [(value + 1) / 2 for value in shift],
            "std": [value / 2 for value in scale],
        }


def open_clip_model():
    """OpenCLIP convnext_large_d without weights."""
    import open_clip

    return open_clip.create_model(OPEN_CLIP_NAME, pretrained=None)


def llm2clip_vision():
    """The picture tower of LLM2CLIP-Openai-L-14-336 without weights: CLIP ViT-L/14 at 336 px, projection to 1280."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=IMAGE_PX,
        patch_size=14,
        hidden_act="quick_gelu",
        projection_dim=LLM2CLIP_LENGTH,
    )
    return CLIPVisionModelWithProjection(config)


def dinov2_small():
    """DINOv2-small without weights, and a score head."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=384,
        num_hidden_layers=12,
        num_attention_heads=6,
        mlp_ratio=4,
        image_size=IQA_PX,
        patch_size=14,
    )
    return Dinov2Model(config), nn.Linear(384, 1)


def lpips_network():
    """LPIPS with its real linear heads and an AlexNet without weights."""
    from torchmetrics.functional.image import lpips

    return lpips._LPIPS(pretrained=True, net="alex", pnet_rand=True)


def scatter(module, seed):
    """Random weights of a size at which every layer matters to the result.

    The libraries' own initial values hide mistakes: layer scales begin at 1e-6, biases at 0, norms at 1, and
    attention looks everywhere alike.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim in (2, 4):
                fan_in = math.prod(parameter.shape[1:])
                is_selective = any(part in name for part in ("q_proj", "k_proj", "query", "key"))
                scale = (2.0 if is_selective else 1.0) * fan_in**-0.5
                parameter.normal_(0.0, scale, generator=generator)
            elif name.endswith("bias"):
                parameter.normal_(0.0, 0.1, generator=generator)
            elif name.endswith(("gamma", "lambda1")):
                parameter.uniform_(0.5, 1.0, generator=generator)
            elif parameter.ndim == 1 and name.endswith("weight"):
                parameter.uniform_(0.7, 1.3, generator=generator)
            elif parameter.ndim > 0:
                parameter.normal_(0.0, 0.3, generator=generator)
