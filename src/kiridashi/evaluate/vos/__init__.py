"""Video object segmentation: masks given in the first frame, followed through a clip.

The semi-supervised protocol of Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation"
(arXiv 1704.00675), with the measures of Perazzi et al. (CVPR 2016) and the conventions of the public
evaluator, on any set of clips in which every frame has a label map.
"""
