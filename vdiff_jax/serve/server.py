"""Serves the page on this machine, or with a password to others."""

import contextlib
import errno
import hmac
import ipaddress
import logging
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from vdiff_jax.errors import MissingError, OptionError

log = logging.getLogger(__name__)

LOCAL = "127.0.0.1"
LARGEST_UPLOAD = 4 << 30


def serve(
    *, host: str = LOCAL, port: int = 7860, password: str | None = None, largest_upload: int = LARGEST_UPLOAD
) -> None:
    """Serves the page until Ctrl-C.

    Args:
      host: the address to listen at; any but this machine's own needs a password.
      port: the port to listen at.
      password: the password that a browser must enter, with any user name; None for no password.
      largest_upload: the most bytes that an uploaded file may have.

    Raises:
      OptionError: a port in use or out of range, an unknown host, or another host than this one without a password.
      MissingError: Gradio is not installed.
    """
    check_address(host, port, password)
    with (
        tempfile.TemporaryDirectory(prefix="vdiff-serve-", ignore_cleanup_errors=True) as folder,
        launched(Path(folder), host, port, password, largest_upload) as address,
    ):
        log.info("the page is at %s (Ctrl-C ends it)", address)
        threading.Event().wait()


@contextlib.contextmanager
def launched(
    folder: Path, host: str, port: int, password: str | None = None, largest_upload: int = LARGEST_UPLOAD
) -> Iterator[str]:
    """Serves the page during the `with` block and yields its address. At the end, all jobs are stopped.

    Args:
      folder: where uploads and results lie. It is not removed.
      host, port, password, largest_upload: as for `serve`.

    Raises:
      MissingError: Gradio is not installed.
    """
    os.environ |= {"GRADIO_TEMP_DIR": str(folder), "GRADIO_ANALYTICS_ENABLED": "False"}  # Gradio reads them on import
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise MissingError("the page needs the package gradio: pip install 'vdiff_jax[ui]'") from error
    import jax

    from vdiff_jax.serve.jobs import Queue
    from vdiff_jax.serve.page import CSS, build_page, theme
    from vdiff_jax.serve.running import Backend
    from vdiff_jax.serve.workspace import Workspace

    queue = Queue(jax.local_devices())
    page = build_page(Backend(queue, Workspace(folder)))
    page.queue(api_open=False, default_concurrency_limit=8)
    try:
        _, address, _ = page.launch(
            server_name=host,
            server_port=port,
            auth=None if not password else lambda _, given: hmac.compare_digest(given.encode(), password.encode()),
            auth_message="Enter any name, and the password that vdiff serve was given.",
            max_file_size=largest_upload,
            theme=theme(),
            css=CSS,
            app_kwargs={"middleware": _guards(host, folder)},
            footer_links=[],
            quiet=True,
            share=False,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            prevent_thread_lock=True,
        )
        yield address
    finally:
        queue.stop_all()
        page.close(verbose=False)


def _guards(host: str, folder: Path) -> list:
    """Middleware: refuses uploads that do not fit the disk and, if only this machine is served, other host names."""
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from vdiff_jax.serve.upload_guard import UploadGuard

    guards = [Middleware(UploadGuard, folder=folder)]
    if is_local(host):  # else another site could reach the page by a name that resolves to 127.0.0.1
        guards.append(Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]"]))
    return guards


def check_address(host: str, port: int, password: str | None) -> None:
    """Raises OptionError if the page can't be served at an address, or not without a password."""
    if not password and not is_local(host):
        raise OptionError(f"--host {host} lets other machines use the page: pass --password too, or leave out --host")
    if not 1 <= port <= 65535:
        raise OptionError(f"port {port} is out of range: pass --port with a number from 1 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise OptionError(f"{host} is not an address of this machine: pass --host 127.0.0.1 or 0.0.0.0") from error
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
        raise OptionError(f"port {port} {reason}: pass another one, such as --port {port % 65535 + 1}") from error


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
