"""The server's HTTP API, with the standard library alone."""
from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from .table import tabulate

ENDED = ("succeeded", "failed", "cancelled")
MOST_TRIES = 6
LONGEST_PAUSE = 60.0
MOST_ANSWER = 256 << 20


class ApiError(Exception):
    """An answer that is not a success. ``problem`` is its problem document (RFC 9457), empty when the body was something else."""

    def __init__(self, status: int, reason: str, body: bytes) -> None:
        self.status = status
        try:
            problem = json.loads(body)
        except ValueError:
            problem = None
        self.problem: Dict[str, Any] = problem if isinstance(problem, dict) else {}
        errors = self.problem.get("errors")
        #: Fields that are wrong: JSON pointer and sentence.
        self.errors: List[Tuple[str, str]] = [
            (str(e.get("pointer", "")), str(e.get("detail", ""))) for e in errors if isinstance(e, dict)
        ] if isinstance(errors, list) else []
        title, detail = self.problem.get("title") or reason, self.problem.get("detail")
        lines = [f"{status} {title}" + (f": {detail}" if detail else "")]
        lines += [f"  {pointer or '(the document)'}  {message}" for pointer, message in self.errors]
        if status == 401:
            lines.append("  Sign in (./metaopt login), set METAOPT_TOKEN, or give Client a token.")
        super().__init__("\n".join(lines))

    @property
    def code(self) -> Optional[str]:
        """Stable name of the problem, such as ``invalid-field``."""
        code = self.problem.get("code")
        return code if isinstance(code, str) else None


class RunFailed(Exception):
    """A run that ended as failed or cancelled; ``run`` is its document."""

    def __init__(self, run: Mapping[str, Any]) -> None:
        self.run = run
        error = run.get("error") or {}
        super().__init__(f"Run {run['id']} {run['state']}" + (f": {error['detail']}" if error.get("detail") else "."))


class Client:
    """A server and a token for it.

    Address: ``url``, else METAOPT_URL, else what ``./metaopt login`` kept, else the server that ``./metaopt up`` started, else
    http://127.0.0.1:5080. Token: ``token``, else METAOPT_TOKEN, else what ``login`` kept for that address, else, for a server on
    this machine, the administrator's token in the data folder. ``timeout`` is in seconds, for each request.
    """

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None, timeout: float = 100.0) -> None:
        home = data_folder()
        login = _login(home)
        started = _text(home / "run" / "address")
        address = url or os.environ.get("METAOPT_URL") or login.get("Server") or started or "http://127.0.0.1:5080"
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f'"{address}" is not the address of a server; an address is for example http://127.0.0.1:5080.')
        self.url = address.rstrip("/")
        self.timeout = timeout
        local = _is_loopback(parts.hostname)
        kept = login.get("Token") if login.get("Server", "").rstrip("/") == self.url else None
        self._token = token or os.environ.get("METAOPT_TOKEN") or kept or (_text(home / "admin-token") if local else None)
        # A proxy cannot reach this machine's own servers, and must not see their tokens.
        proxies = urllib.request.ProxyHandler({} if local else None)
        self._opener = urllib.request.build_opener(proxies, _NoRedirects())

    def me(self) -> Dict[str, Any]:
        """Returns the user of the token, and its scopes."""
        return self._json("GET", "me")

    def validate(self, run: Mapping[str, Any]) -> Dict[str, Any]:
        """Checks a submission without queueing it; returns the whole specification and the predicted cost."""
        return self._json("POST", "runs:validate", body=run)

    def submit(self, run: Union[Mapping[str, Any], str, "os.PathLike[str]"], *, key: Optional[str] = None) -> Dict[str, Any]:
        """Submits a run, a mapping with ``kind`` and ``spec`` or the path of such a JSON file; returns its document.

        A repetition with the same ``key`` is the same run. Without one a key is drawn, so that retries never submit twice.
        """
        if not isinstance(run, Mapping):
            run = json.loads(Path(run).read_text("utf-8"))
        return self._json("POST", "runs", body=run, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    def run(self, run: str) -> Dict[str, Any]:
        """Returns a run by its id or the end of it."""
        return self._json("GET", f"runs/{self.run_id(run)}")

    def runs(self, limit: Optional[int] = 50, **filters: Any) -> List[Dict[str, Any]]:
        """Returns runs, newest first; ``limit=None`` returns all.

        Filters: state, kind, tag, owner, createdAfter, createdBefore, batch.
        """
        result: List[Dict[str, Any]] = []
        if limit is not None and limit < 1:
            return result
        for item in self._pages("runs", filters, 200 if limit is None else min(limit, 200)):
            result.append(item)
            if len(result) == limit:
                break
        return result

    def wait(
        self,
        run: str,
        *,
        progress: Union[bool, Callable[[Dict[str, Any]], None]] = True,
        poll: float = 1.0,
        timeout: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Waits until a run ends; returns its document.

        ``progress`` writes a line to standard error, or is called with every document. ``poll`` and ``timeout`` are seconds.
        Raises :class:`RunFailed` when the run did not succeed, TimeoutError when it has not ended in time.
        """
        path = f"runs/{self.run_id(run)}"
        show: Callable[[Dict[str, Any]], None] = lambda document: None  # noqa: E731
        if callable(progress):
            show = progress
        elif progress:
            show = _ProgressLine()
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            document = self._json("GET", path)
            show(document)
            if document["state"] in ENDED:
                break
            if end is not None and time.monotonic() + poll > end:
                raise TimeoutError(f"Run {document['id']} is {document['state']} after {timeout:g} seconds.")
            time.sleep(poll)
        if document["state"] != "succeeded":
            raise RunFailed(document)
        return document

    def cancel(self, run: str) -> Dict[str, Any]:
        """Asks a run to stop; returns its document."""
        return self._json("POST", f"runs/{self.run_id(run)}/cancel")

    def series_names(self, run: str) -> List[str]:
        """Returns the names of a run's series."""
        return [item["name"] for item in self._json("GET", f"runs/{self.run_id(run)}/series")["items"]]

    def series(
        self,
        run: str,
        name: str = "meta-loss",
        *,
        start: Optional[int] = None,
        end: Optional[int] = None,
        max_points: int = 10_000,
    ) -> Any:
        """Returns a series as a DataFrame, or a :class:`Table` without pandas.

        Columns: step, value; of a series longer than ``max_points``: step, lastStep, min, max, mean, count. A value that was
        not finite is None.
        """
        query = {"name": name, "from": start, "to": end, "maxPoints": max_points}
        document = self._json("GET", f"runs/{self.run_id(run)}/series", query)
        columns = ["step", "value"] if document["raw"] else ["step", "lastStep", "min", "max", "mean", "count"]
        return tabulate(document["points"], columns)

    def compare(self, runs: Sequence[str], series: Optional[str] = None, *, max_points: int = 1000) -> Dict[str, Any]:
        """Compares 1 to 8 runs: points and statistics of one series of each, and what differs in their specifications."""
        ids = ",".join(self.run_id(run) for run in runs)
        return self._json("GET", "compare", {"runs": ids, "series": series, "maxPoints": max_points})

    def checkpoints(self, run: str) -> List[Dict[str, Any]]:
        """Returns a run's checkpoints: id, name, step, size, sha256."""
        items: List[Dict[str, Any]] = self._json("GET", f"runs/{self.run_id(run)}/checkpoints")["items"]
        return items

    def download(self, run: str, path: Union[str, "os.PathLike[str]"], *, name: str = "final") -> Path:
        """Downloads the checkpoint called ``name`` of a run, checks its SHA-256, and writes it to ``path``."""
        # The last of a name: a training may have several.
        found = {item["name"]: item for item in sorted(self.checkpoints(run), key=lambda item: int(item["step"]))}
        if name not in found:
            raise KeyError(f"Run {run} has no checkpoint {name!r}; it has: {', '.join(sorted(found)) or 'none'}.")
        checkpoint = found[name]
        data = self._send("GET", f"checkpoints/{checkpoint['id']}/content")
        if hashlib.sha256(data).hexdigest() != checkpoint["sha256"]:
            raise OSError(f"Checkpoint {checkpoint['id']} does not have the SHA-256 {checkpoint['sha256']}; download it again.")
        target = Path(path)
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            partial.write_bytes(data)
            partial.replace(target)
        finally:
            if partial.exists():
                partial.unlink()
        return target

    def run_id(self, text: str) -> str:
        """Returns the whole id of a run that is given by its id or the end of it."""
        try:
            return str(uuid.UUID(text))
        except ValueError:
            pass
        runs = self._json("GET", "runs", {"id": text, "limit": 2})["items"]
        if len(runs) != 1:
            raise KeyError(f'{"Several runs have" if runs else "No run has"} an id that ends in "{text}".')
        return str(runs[0]["id"])

    def _pages(self, path: str, query: Mapping[str, Any], size: int) -> Iterator[Dict[str, Any]]:
        cursor = None
        while True:
            page = self._json("GET", path, {**query, "limit": size, "cursor": cursor})
            yield from page["items"]
            cursor = page.get("nextCursor")
            if cursor is None:
                return

    def _json(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> Dict[str, Any]:
        data = self._send(method, path, query, body, headers)
        document = json.loads(data) if data else {}
        if not isinstance(document, dict):
            raise ValueError(f"{self.url} answered {path} with something else than a JSON object.")
        return document

    def _send(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        body: Any = None,
        headers: Optional[Mapping[str, str]] = None,
    ) -> bytes:
        """Sends a request; an answer 503 or 429 that names a time is asked again after it, a few times."""
        given = {key: value for key, value in (query or {}).items() if value is not None}
        url = f"{self.url}/api/v1/{path}" + (f"?{urllib.parse.urlencode(given)}" if given else "")
        request = urllib.request.Request(url, method=method, headers=dict(headers or {}))
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.data = json.dumps(body, allow_nan=False).encode()
            request.add_header("Content-Type", "application/json")
        for attempt in range(1, MOST_TRIES + 1):
            try:
                with self._opener.open(request, timeout=self.timeout) as answer:
                    data: bytes = answer.read(MOST_ANSWER + 1)
                    if len(data) > MOST_ANSWER:
                        raise ValueError(f"{path} has more than {MOST_ANSWER} bytes.")
                    return data
            except urllib.error.HTTPError as error:
                with error:
                    pause = _retry_after(error)
                    if attempt == MOST_TRIES or pause is None:
                        raise ApiError(error.code, error.reason, error.read(1 << 20)) from None
            time.sleep(pause)
        raise AssertionError("The last attempt returns or raises.")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to another server."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _ProgressLine:
    """Where a run stands, on one line of standard error; in a file, a line for each change of state or phase."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, run: Mapping[str, Any]) -> None:
        progress = run.get("progress") or {}
        waiting = run.get("waitingFor") or {}
        text = f"{str(run['id'])[-8:]} {run['state']}"
        if run["state"] == "queued" and waiting.get("reason"):
            text += f": {waiting['reason']}"
        elif run["state"] == "running" and progress:
            text += f" {progress.get('phase', '')} {progress.get('done', 0):,}/{progress.get('total', 0):,}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{text}" + ("\n" if run["state"] in ENDED else ""))
        elif text != self._shown:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()
        self._shown = text


def data_folder() -> Path:
    """Returns the CLI's data folder: METAOPT_HOME, else XDG_DATA_HOME/metaopt, else ~/.local/share/metaopt."""
    home = os.environ.get("METAOPT_HOME")
    if home:
        return Path(home)
    shared = os.environ.get("XDG_DATA_HOME")
    return (Path(shared) if shared else Path.home() / ".local" / "share") / "metaopt"


def _login(home: Path) -> Dict[str, str]:
    try:
        login = json.loads(_text(home / "login") or "{}")
    except ValueError:
        return {}
    return {key: value for key, value in login.items() if isinstance(value, str)} if isinstance(login, dict) else {}


def _text(file: Path) -> Optional[str]:
    try:
        return file.read_text("utf-8-sig").strip() or None
    except OSError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _retry_after(error: urllib.error.HTTPError) -> Optional[float]:
    """Seconds to wait before the request is sent again; None where it should not be."""
    text = (error.headers.get("Retry-After") or "").strip()
    if error.code not in (429, 503) or not text.isdigit() or len(text) > 6:
        return None
    seconds = float(text)
    return max(seconds, 0.1) if seconds <= LONGEST_PAUSE else None
