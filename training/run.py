"""Train the compact model: `python -m training.run training/configs/image.toml`.

Started again it goes on where the last checkpoint is; a finished run returns at once. The best weights
lie in the run's folder as best.safetensors (float32); `python -m training.ship` makes the package's file,
`python -m training.transition.ship` that of the transition stage.
"""

import argparse
from pathlib import Path

import torch

from training.config import RunConfig, read_config
from training.loop import Loop
from training.stage import Stage


def make_stage(config: RunConfig) -> Stage:
    """The stage that a configuration names."""
    if config.stage == "image":
        from training.image.stage import ImageStage

        return ImageStage(config)
    from training.transition.stage import TransitionStage

    return TransitionStage(config)


def main(arguments: list[str] | None = None) -> None:
    """Read the configuration and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="TOML file; see training/configs")
    parser.add_argument("--threads", type=int, default=0, help="of the training process; default: torch's")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    config = read_config(options.config)
    Loop(make_stage(config), config).run()


if __name__ == "__main__":
    main()
