import subprocess
import sys

HEAVY = ("torch", "transformers", "scipy", "skimage", "sklearn", "cv2", "pycocotools", "PIL", "supervision")
MODULES = (
    "kiridashi.core.picture, kiridashi.core.mask, kiridashi.core.rle, kiridashi.core.prompt, "
    "kiridashi.core.reference, kiridashi.core.segments, kiridashi.core.geometry.boxes, "
    "kiridashi.core.geometry.components, kiridashi.core.geometry.nms, kiridashi.core.geometry.otsu, "
    "kiridashi.core.adapters.coco, kiridashi.core.adapters.label_map, kiridashi.core.adapters.overlay, "
    "kiridashi.core.adapters.supervision"
)


def modules_after(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*(name for name in sys.modules if '.' not in name))"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True
        ).stdout.split()
    )


def test_core_imports_no_heavy_library() -> None:
    loaded = modules_after(f"import {MODULES}")
    assert "numpy" in loaded
    assert not loaded.intersection(HEAVY)


def test_package_imports_nothing_but_itself() -> None:
    assert not modules_after("import kiridashi").intersection({*HEAVY, "numpy"})


def test_data_needs_no_torch() -> None:
    assert not modules_after("import kiridashi.data").intersection({"torch", "transformers", "tifffile"})
