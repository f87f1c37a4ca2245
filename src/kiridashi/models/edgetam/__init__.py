"""EdgeTAM: SAM 2 for phones, with its trunk built here so that neither timm nor torchvision is needed."""
