"""The recipe of the compact diffusion model behind `kiridashi.reference.transition`."""
