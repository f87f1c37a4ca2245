"""What the map of a GTFormer is measured against: CAM and Grad-CAM on the same trunk.

CAM (Zhou et al., 2016, arXiv 1512.04150): a linear layer on averaged features says how much each place
speaks for a class. Grad-CAM (Selvaraju et al., 2017, arXiv 1610.02391): the mean gradient of a logit says how
much each channel of a map counts. On a linear head the two are one, so Grad-CAM has a small head of its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HIDDEN = 256


class CamHead(nn.Module):
    """Global average pooling and a linear layer.

    Args:
        channels: D' of the trunk's maps.
        classes: C.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, classes, 1)

    def forward(self, trunk: Tensor) -> Tensor:
        """(B, C) logits of (B, D', h, w) maps."""
        return self.activation(trunk).mean(dim=(2, 3))

    def activation(self, trunk: Tensor) -> Tensor:
        """(B, C, h, w) class activation maps, of any sign; their means are the logits."""
        maps: Tensor = self.linear(trunk)
        return maps


class GradCamHead(nn.Module):
    """A linear layer at each place, ReLU, global average pooling and a linear layer.

    Args:
        channels: D' of the trunk's maps.
        classes: C.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(channels, HIDDEN, 1)
        self.linear = nn.Linear(HIDDEN, classes)

    def forward(self, trunk: Tensor) -> Tensor:
        """(B, C) logits of (B, D', h, w) maps."""
        logits: Tensor = self.linear(F.relu(self.hidden(trunk)).mean(dim=(2, 3)))
        return logits

    def activation(self, trunk: Tensor) -> Tensor:
        """(C, h, w) Grad-CAM maps, 0 or more, of one picture's (D', h, w) maps.

        relu(sum_k alpha_k A_k), alpha_k being the mean over the places of d logit / d A_k.
        """
        with torch.inference_mode(False), torch.enable_grad():
            copies = trunk.detach().clone().expand(self.linear.out_features, -1, -1, -1).contiguous()
            copies.requires_grad_(True)
            # Each copy answers for its own class, so one backward pass serves all of them.
            (gradients,) = torch.autograd.grad(self(copies).diagonal().sum(), copies)
        weights = gradients.mean(dim=(2, 3), keepdim=True)
        return F.relu((weights * copies.detach()).sum(dim=1))
