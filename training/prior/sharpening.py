"""Compare ways to sharpen a prior, on made-up sites that no evaluation set has part in.

One reference and three other pictures a site. The photographs are those that the decoder was not trained on
(every twelfth of `voc_train`); the fusion network that makes the priors was fitted to some of them, so the
figures flatter all ways alike.

    python -m training.prior.sharpening --data ../shared/data --sites 8
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kiridashi.core.geometry.guided_filter import guided_filter
from kiridashi.core.mask import Mask
from kiridashi.core.picture import Picture
from kiridashi.core.prompt import Prompt
from kiridashi.core.reference import Reference
from kiridashi.evaluate.metrics import overlap
from kiridashi.models.loading import load_model
from kiridashi.models.promptable import PromptableModel
from kiridashi.models.sharpening import FILTER_CELLS, sharpen
from kiridashi.reference.prototype import Prototype
from training.prior.sites import IGNORE, Site, SiteMaker

PICTURES = 4
SEED = 5
HELD_OUT_EVERY = 12
Map = NDArray[np.float32]


def ways(model: PromptableModel, picture: Picture, prior: Map) -> dict[str, Map]:
    """(H, W) probabilities by way: the prior enlarged, the filter, the decoder, and what `segment` does."""
    height, width = picture.size
    smooth = np.clip(cv2.resize(prior, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1)
    cell = max(height / prior.shape[0], width / prior.shape[1])
    decoded = model.decode(model.encode(picture), [Prompt(prior=smooth)], multimask=False)
    return {
        "prior": smooth,
        "filter": guided_filter(picture.pixels, smooth, max(1, round(FILTER_CELLS * cell))),
        "decoder": decoded.probability(0, 0),
        "sharpen": sharpen(model, picture, prior).probability,
    }


def measure(model: PromptableModel, site: Site) -> Iterator[dict[str, float]]:
    """IoU by way in each picture of a site but its first, which is the reference."""
    pixels, labels = site.samples[0]
    reference = Reference(Picture(pixels), Mask.from_array(labels == 1))
    method = Prototype(model, verdict=False).fit([reference])
    for pixels, labels in site.samples[1:]:
        picture = Picture(pixels)
        found = ways(model, picture, method.prior_.predict(method.look(picture)).map)
        yield {
            name: overlap(probability > 0.5, labels == 1, labels == IGNORE).iou
            for name, probability in found.items()
        }


def unseen_maker(data: Path) -> SiteMaker:
    """A maker whose photographs the decoder was not trained on."""
    maker = SiteMaker(data)
    names = sorted(path.stem for path in (data / "voc_train" / "images").glob("*.jpg"))
    held_out = set(names[::HELD_OUT_EVERY])
    for number, found in maker.by_class.items():
        maker.by_class[number] = [name for name in found if name in held_out]
    return maker


def main(arguments: list[str] | None = None) -> None:
    """Print the mean IoU of each way by kind of site."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sites", type=int, default=8, help="of each kind")
    options = parser.parse_args(arguments)
    model, maker = load_model(), unseen_maker(options.data)
    for kind, draw in maker.kinds.items():
        rng = np.random.default_rng(SEED)
        rows = [row for _ in range(options.sites) for row in measure(model, draw(PICTURES, rng))]
        means = "  ".join(f"{name} {np.mean([row[name] for row in rows]):.3f}" for name in rows[0])
        print(f"{kind:9} {len(rows):3} pictures  {means}")


if __name__ == "__main__":
    main()
