"""transformers' own video session, streaming, with the same frames and weights as ours."""

from typing import Any

import torch
from torch.nn import functional as F
from transformers.models.edgetam_video.modeling_edgetam_video import EdgeTamVideoInferenceSession
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.models.preprocess import to_input
from kiridashi.models.promptable import PromptableModel, upscale

SESSIONS = {"sam2": Sam2VideoInferenceSession, "edgetam": EdgeTamVideoInferenceSession}
OBJECT = 1


class StockSession:
    """Follows one object; keeps every frame and every output, as the library does.

    Args:
        model: whose network runs.
        size: (height, width) of the frames.
    """

    def __init__(self, model: PromptableModel, size: tuple[int, int]) -> None:
        self._model, self._size = model, size
        # Its default type is half of what mask prompts need.
        self._session: Any = SESSIONS[model.card.family](
            video_height=size[0], video_width=size[1], dtype=torch.float32
        )

    @torch.inference_mode()
    def step(self, picture: Picture, mask: Mask | None = None) -> Mask:
        """The object in the next frame; a mask prompts it."""
        session = self._session
        if mask is not None:
            inside = torch.from_numpy(mask.to_array()).float()[None, None]
            square = F.interpolate(inside, size=(self._model.card.image_size,) * 2)
            session.add_mask_inputs(session.obj_id_to_idx(OBJECT), 0, square)
            session.obj_with_new_inputs = [OBJECT]
        output = self._model.net(inference_session=session, frame=to_input(picture, self._model.card))
        return Mask.from_array(upscale(output.pred_masks[0, 0], self._size).numpy() > 0)
