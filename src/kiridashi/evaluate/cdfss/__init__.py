"""The protocol of cross-domain few-shot segmentation (CD-FSS).

Lei et al., "Cross-Domain Few-Shot Semantic Segmentation" (PATNet), ECCV 2022: episodes of a query and K
supports, scored by the cumulative mIoU. Numbers of this field depend on the protocol, so every result says
how its episodes were drawn, how many they are and from which seed.

- `sources`: the benchmark's four sets in their folders; `clip_pairs`: distant frames of clips
- `drawing`: which pictures make an episode
- `tasks`: a folder of any of these kinds, with its rule and picture size
- `voting`: K shots as K answers and a vote
- `measures`: cumulative mIoU, FB-IoU and mean IoU of a run, with intervals and paired differences
- `run`: episodes times methods, one line each
- `summary`: the table; `bridges`: what choosing a way to each query was worth
"""
