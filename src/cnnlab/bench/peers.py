"""Which packages and tools to measure beside are installed here."""

from __future__ import annotations

import importlib.util
import shutil

INSTALL = {  # import name: how to get it
    "timm": "pip install timm",
    "torchvision": "pip install torchvision",
    "onnx": "pip install 'cnnlab[export]'",
    "onnxscript": "pip install 'cnnlab[export]'",
    "onnxruntime": "pip install 'cnnlab[export]'",
}
COMPILERS = ("g++", "clang++", "c++")


def installed(*names: str) -> bool:
    """Whether all these packages can be imported; `compiler` stands for what torch.compile needs on a CPU."""
    return all(
        any(map(shutil.which, COMPILERS)) if name == "compiler" else importlib.util.find_spec(name) is not None
        for name in names
    )


def missing(names: tuple[str, ...]) -> dict[str, str]:
    """Those of these packages that are not installed, each with how to get it."""
    return {name: INSTALL.get(name, f"install {name}") for name in names if not installed(name)}
