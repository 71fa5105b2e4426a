"""How the server reads and logs HTTP."""

from __future__ import annotations

from http import HTTPStatus

from moto.moto_server.werkzeug_app import MotoRequestHandler


class RequestHandler(MotoRequestHandler):
    """moto's handler, without delay and with failures only in the log."""

    disable_nagle_algorithm = True  # headers and body are written apart

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log a request that failed on our side."""
        if str(code).isdigit() and int(code) >= HTTPStatus.INTERNAL_SERVER_ERROR:
            super().log_request(code, size)
