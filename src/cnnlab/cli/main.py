"""Which command was meant; nothing heavy is imported before that is known."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import cnnlab
from cnnlab.cli.called import as_called
from cnnlab.cli.failures import fail
from cnnlab.cli.parser import Parser
from cnnlab.errors import CnnlabError, reason_of, unknown_name

COMMANDS: dict[str, tuple[str, str]] = {
    "train": ("train", "train a network: no arguments for CIFAR-10 with the fast recipe"),
    "eval": ("evaluate", "test a trained network on a data set or a folder"),
    "compare": ("compare", "hold runs against each other: accuracy, paired tests, classes, cost"),
    "runs": ("runs", "list runs: network, data, accuracy with its interval, time, state"),
    "report": ("report", "make a run's report.html anew"),
    "predict": ("predict", "say what is on photos"),
    "features": ("features", "write what a named layer makes of images: one row an image"),
    "explain": ("explain", "show where a trained network looked: Grad-CAM and its kin, occlusion"),
    "diagnose": ("diagnose", "find what is wrong with a training: gradients by depth, a verdict, a remedy"),
    "reproduce": ("reproduce", "make a paper's figure or table again, with a verdict"),
    "lr-find": ("lr_find", "find a learning rate: a range test, with a plot"),
    "data": ("data", "get, measure and split data sets"),
    "inspect": ("inspect", "look into a network: its layers, or the network drawn"),
    "time": ("time", "time a network layer by layer, and hold it against what this machine can do"),
    "bench": ("bench", "measure the performance figures here, side by side with the peers that are installed"),
    "models": ("models", "list the networks: year, depth, parameters, multiply-accumulates, paper"),
    "recipes": ("recipes", "list the recipes, or show one"),
    "checkpoint": ("checkpoint", "look at a file of weights, or convert it"),
    "selftest": ("selftest", "try here what cnnlab promises to survive: kills, damage, hostile files"),
    "env": ("env", "versions, device and threads"),
}

EPILOG = """\
start here:
  cnnlab train                        CIFAR-10 on whatever device is there
  cnnlab train photos/                your own photos: photos/train/<class>/*.jpg or photos/<class>/*.jpg
  cnnlab train --recipe resnet2015/cifar10
  cnnlab COMMAND --help               what a command takes
"""


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns:
        The exit code: 0 done, 1 our error, 2 usage, 3 bad data, 75 interrupted and resumable.
    """
    as_json = "--json" in arguments
    try:
        code = _dispatch(list(arguments))
        sys.stdout.flush()  # here, where a reader who went away is caught
        return code
    except CnnlabError as error:
        if not str(error):  # of several processes, rank 0 tells it
            return error.exit_code
        return fail(type(error).__name__, str(error), error.exit_code, as_json=as_json)
    except KeyboardInterrupt:
        return fail("KeyboardInterrupt", "interrupted", 130, as_json=as_json)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # the system's own refusals: no space, no permission, no such folder
        where = f"{error.filename}: " if error.filename else ""
        return fail(type(error).__name__, f"{where}{reason_of(error)}", 1, as_json=as_json)
    except Exception as error:
        if os.environ.get("CNNLAB_TRACEBACK"):
            traceback.print_exc()
        kind = type(error).__name__
        message = f"{kind}: {error} (a fault of cnnlab; CNNLAB_TRACEBACK=1 shows where)"
        return fail(kind, message, 1, as_json=as_json)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(as_called(_help()))
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"cnnlab {cnnlab.__version__}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise unknown_name("command", name, COMMANDS, see="cnnlab --help")
    module = importlib.import_module(f"cnnlab.cli.{COMMANDS[name][0]}")
    parser = Parser(prog=f"cnnlab {name}", description=module.__doc__)
    module.add_arguments(parser)
    try:
        parsed = parser.parse(rest)
    except SystemExit:  # argparse has printed the help
        return 0
    if check := getattr(module, "check", None):  # what can be refused at once, before torch is imported
        check(parsed)
    code: int = module.run(parsed)
    return code


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return "usage: cnnlab COMMAND …\n\n" + str(cnnlab.__doc__) + "\n\ncommands:\n" + "\n".join(lines) + "\n\n" + EPILOG
