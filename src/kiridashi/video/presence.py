"""The score of an object in a frame: how likely it is there."""

import math

# Logistic regression on nine training clips of DAVIS, classes weighted alike: frames with the object, also
# where a board covers 80 % of it, against frames with the object painted over and frames of other clips. Then
# lowered until none of the 144 frames without the object scores one half; 488 of the 505 with it do.
# Weights of predicted IoU and likeness.
IOU, LIKENESS, OFFSET = 5.6, 17.4, -14.3


def of_model(logit: float) -> float:
    """From the network's own presence logit, for networks that have learned it on videos; 0..1."""
    return _sigmoid(logit)


def of_matching(iou: float, likeness: float) -> float:
    """For models that recall by matching, whose network always finds something that resembles the object.

    Its own presence logit says little then: on those clips it was above 0 in 97 % of the frames without the
    object.

    Args:
        iou: predicted for the mask, 0..1.
        likeness: cosine of what the mask covers with the looks of the object, -1..1.

    Returns:
        0..1; on the clips it was fitted to, 0.5 parts presence from absence.
    """
    return _sigmoid(IOU * iou + LIKENESS * likeness + OFFSET)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(min(value, 30.0), -30.0)))
