"""What a GTFormer learns by: the label loss, and two losses that make a map of it (Pro2SAM, section 3.2).

L_region pulls the share of the picture that the map covers to a set one, on the mean of a batch; L_edge
pushes each place to 0 or 1. Both come from SAT (Wu et al., ICCV 2023), where they are called batch area and
normalisation loss.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from kiridashi.localize.gtformer.network import Localised, pooled

# The smoothing of L_edge: centre, neighbours along rows and columns, corners.
CENTRE, EDGE, CORNER = 0.805, 0.046, 0.0026


def label_loss(logits: Tensor, labels: Tensor, weights: Tensor, *, single: bool) -> Tensor:
    """The loss of the class logits.

    Args:
        logits: (B, C).
        labels: (B, C) float, 1 where the picture has the class.
        weights: (C,) balance of the classes: with one label a picture the weight of its pictures, else
            that of the pictures that have the class against those that do not.
        single: every picture has exactly one label: softmax cross-entropy, else binary cross-entropy,
            summed over the classes (the mean would grow faint with their number).
    """
    if single:
        return F.cross_entropy(logits, labels.argmax(dim=1), weight=weights)
    loss = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weights, reduction="none")
    return loss.sum(dim=1).mean()


def region_loss(maps: Tensor, area: float, slack: float = 0.0) -> Tensor:
    """L_region: |mean over the batch of the mean over the pixels of M - a|.

    Args:
        maps: (B, h, w) in 0..1.
        area: a, the share of the picture that objects are expected to cover on the mean, 0..1.
        slack: a mean area within +- this of a costs nothing; 0 as published.

    Returns:
        A scalar; 0 of an empty batch.
    """
    if not len(maps):
        return maps.sum()
    return ((maps.mean() - area).abs() - slack).clamp(min=0)


def edge_loss(maps: Tensor) -> Tensor:
    """L_edge: mean of (1 - M~) M~, M~ being M under a fixed 3 x 3 kernel with zeros around.

    Args:
        maps: (B, h, w) in 0..1.

    Returns:
        A scalar in 0..0.25: largest where all is 0.5, near 0 where all is 0 or 1.
    """
    row = [CORNER, EDGE, CORNER]
    kernel = torch.tensor([row, [EDGE, CENTRE, EDGE], row], dtype=maps.dtype, device=maps.device)
    smooth = F.conv2d(maps[:, None], kernel[None, None], padding=1)
    return ((1 - smooth) * smooth).mean()


def background_loss(logits: Tensor, *, single: bool) -> Tensor:
    """How much the outside of the map still says of the classes; 0 where it says nothing.

    Ours: on a frozen trunk the published losses let the map lie anywhere, because the blocks carry what
    they need to every patch. This one is taken on logits of the trunk's own features, each at its place.

    Args:
        logits: (B, C) of the outside.
        single: every picture has exactly one label: the divergence from "every class alike"; else binary
            cross-entropy with "none of them", summed over the classes.
    """
    if single:
        return -logits.log_softmax(dim=1).mean() - math.log(logits.shape[1])
    return F.softplus(logits).sum(dim=1).mean()


def empty_loss(maps: Tensor) -> Tensor:
    """Mean of the maps of pictures in which nothing is: L_region with a = 0; 0 of an empty batch.

    Ours: the paper knows no picture without an object. Pulling these to `area` too would teach the map to
    mark the background.
    """
    return region_loss(maps, 0.0)


def map_loss(
    maps: Tensor,
    has_object: Tensor,
    *,
    area: float,
    slack: float = 0.0,
    region_weight: float = 1.0,
    empty_weight: float = 1.0,
    edge_weight: float = 1.0,
) -> Tensor:
    """L_region over the pictures with an object, its counterpart over those without, and L_edge over all.

    Args:
        maps: (B, h, w) in 0..1.
        has_object: (B,) bool.
        area: see `region_loss`.
        slack: see `region_loss`.
        region_weight: of L_region.
        empty_weight: of its counterpart.
        edge_weight: of L_edge.
    """
    share = has_object.float().mean()
    region = share * region_loss(maps[has_object], area, slack)
    empty = (1 - share) * empty_loss(maps[~has_object])
    return region_weight * region + empty_weight * empty + edge_weight * edge_loss(maps)


def contrast_loss(
    seen: Localised,
    labels: Tensor,
    weights: Tensor,
    *,
    single: bool,
    evidence_weight: float = 1.0,
    background_weight: float = 1.0,
) -> Tensor:
    """Ties the map to its places: the inside tells the labels, the outside tells none.

    Both are read off the trunk's own features (`Localised.evidence`). In a picture without a label all is
    outside, whatever the map says: else the map could mark what speaks against the object.

    Args:
        seen: of the batch.
        labels: (B, C), see `label_loss`.
        weights: (C,), see `label_loss`.
        single: see `label_loss`.
        evidence_weight: of the label loss of the inside.
        background_weight: of the `background_loss` of the outside.
    """
    has_object = labels.any(dim=1)
    outside = torch.where(has_object[:, None, None], 1 - seen.map, torch.ones_like(seen.map))
    loss = background_weight * background_loss(pooled(seen.evidence, outside), single=single)
    if has_object.any():
        inside = pooled(seen.evidence, seen.map)[has_object]
        share = has_object.float().mean()
        told = label_loss(inside, labels[has_object], weights, single=single)
        loss = loss + evidence_weight * share * told
    return loss
