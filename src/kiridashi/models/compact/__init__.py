"""The compact model: SAM 2's architecture in small, shipped inside the package."""
