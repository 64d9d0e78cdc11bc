"""ministack, with the answers of Lambda functions kept as the bytes they are.

Version 1.5.33 reads what a function's runtime answers as text and breaks off where it is none, such as a streamed splat.
Lambda passes bytes on, and so does this.
"""

import json

from ministack.app import main
from ministack.core.lambda_runtime import ProvidedWorker


class Answer(bytes):
    """What a runtime answers: JSON or any other bytes."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str | bytes:
        """Text for a parser of JSON; for whoever would replace what is no text, the bytes themselves."""
        if errors == "replace":
            return bytes(self)
        try:
            return super().decode(encoding, errors)
        except UnicodeDecodeError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error


published = ProvidedWorker._build_handler_class


def build_handler_class(worker: ProvidedWorker, *arguments: object) -> type:
    """The published class of the runtime's interface, but for what it reads."""
    handler = published(worker, *arguments)
    read_body = handler._read_body
    handler._read_body = lambda connection: Answer(read_body(connection))
    return handler


ProvidedWorker._build_handler_class = build_handler_class

if __name__ == "__main__":
    main()
