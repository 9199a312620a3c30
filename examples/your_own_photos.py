"""From a folder of photos to predictions: train, test and predict in one script.

    python examples/your_own_photos.py [PHOTOS]

PHOTOS has a folder a class. Without it, a folder of drawn shapes is made to try it on.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import cnnlab
from cnnlab.recipes import get_recipe, with_settings


def draw_shapes(folder: Path, images_a_class: int = 60) -> Path:
    """Draw discs, squares and bars of many colours into `folder/<class>/*.png`."""
    for kind in ("bar", "disc", "square"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(images_a_class):
            colour = (number * 37 % 200 + 55, number * 91 % 200 + 55, number * 53 % 200 + 55)
            image = Image.new("RGB", (48, 40), (number % 50, number % 40, number % 30))
            draw = ImageDraw.Draw(image)
            left, top = 4 + number % 9, 3 + number % 7
            if kind == "disc":
                draw.ellipse((left, top, left + 26, top + 26), fill=colour)
            else:
                height = 26 if kind == "square" else 8
                draw.rectangle((left, top, left + 26, top + height), fill=colour)
            image.save(folder / kind / f"{number:03d}.png")
    return folder


def main() -> None:
    """Train on the photos, test, and predict three of them."""
    photos = Path(sys.argv[1]) if len(sys.argv) > 1 else draw_shapes(Path("shapes"))
    recipe = with_settings(get_recipe("fast/cifar10"), ["epochs=6", "batch_size=24", "folder_pixels=32"])
    run = cnnlab.train(recipe, data=photos, run="shapes-run")
    print("test accuracy", run.result["test"]["top1"], "of", run.result["test"]["images"], "images")
    classifier = cnnlab.load(run.folder)
    for prediction in classifier.predict(sorted(photos.rglob("*.png"))[:3], top=2):
        print(prediction.path, prediction.names, prediction.probabilities)


if __name__ == "__main__":
    main()
