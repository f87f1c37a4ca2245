"""Weakly supervised object localisation: learned from labels of pictures, measured on boxes and masks.

The protocol of Pro2SAM and its forerunners (GT-known, Top-1 and Top-5 localisation) and that of Choe et
al., "Evaluating weakly supervised object localization methods right" (CVPR 2020; MaxBoxAcc, PxAP), on any
set whose pictures have labels, and boxes or masks where it is measured.
"""
