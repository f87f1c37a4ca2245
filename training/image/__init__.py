"""The image stage: prompts of every kind on windows of training scenes."""
