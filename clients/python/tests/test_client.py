"""The client against a server of this file: retries, pages, problems, where it finds address and token.

The walk against the real server is against_a_server.py.
"""
import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from metaopt import ApiError, Client, RunFailed, Table

RUN = "11111111-2222-3333-4444-555555555555"


class Answers(BaseHTTPRequestHandler):
    """Answers from the server's list, (status, headers, body), and notes what was asked."""

    def do_GET(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        status, headers, body = self.server.answers.pop(0)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class ClientTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The server looks its own name up, which takes seconds without a network.
        with mock.patch("socket.getfqdn", return_value="localhost"):
            cls.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        self.server.asked, self.server.answers = [], []
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("METAOPT_")}
        patch = mock.patch.dict(os.environ, {**environment, "METAOPT_HOME": folder.name}, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def client(self, *answers, token="t"):
        self.server.answers += answers
        return Client(self.url, token)

    def test_503_and_429_are_asked_again_after_their_time_and_with_the_same_key(self):
        busy = {"Retry-After": "0"}
        client = self.client((503, busy, {}), (429, busy, {}), (202, {}, {"id": RUN}))
        self.assertEqual(client.submit({"kind": "evaluation", "spec": {}})["id"], RUN)
        self.assertEqual(len({headers["Idempotency-Key"] for _, _, headers, _ in self.server.asked}), 1)
        self.assertEqual([json.loads(body) for *_, body in self.server.asked], [{"kind": "evaluation", "spec": {}}] * 3)

    def test_a_refusal_without_a_time_is_final(self):
        for answer in ((503, {}, {"title": "Down"}), (503, {"Retry-After": "86400"}, {}), (400, {"Retry-After": "0"}, {})):
            with self.assertRaises(ApiError):
                self.client(answer).me()
        self.assertEqual(len(self.server.asked), 3)

    def test_503_is_not_asked_for_ever(self):
        client = self.client(*[(503, {"Retry-After": "0"}, {"title": "Down"})] * 20)
        with self.assertRaises(ApiError) as caught:
            client.me()
        self.assertEqual((caught.exception.status, len(self.server.asked)), (503, 6))

    def test_a_problem_becomes_an_exception(self):
        errors = [{"pointer": "/spec/seed", "detail": "must be"}]
        problem = {"title": "Unprocessable", "detail": "One field is wrong.", "code": "invalid-field", "errors": errors}
        with self.assertRaises(ApiError) as caught:
            self.client((422, {}, problem)).validate({})
        error = caught.exception
        self.assertEqual((error.status, error.code, error.errors), (422, "invalid-field", [("/spec/seed", "must be")]))
        self.assertIn("One field is wrong.", str(error))
        for body in (b"<html>", b"[]", {"errors": 5}, {"errors": [5]}):
            with self.assertRaises(ApiError) as caught:
                self.client((500, {}, body)).me()
            self.assertEqual((caught.exception.status, caught.exception.errors), (500, []))

    def test_runs_go_through_the_pages(self):
        first, second = {"items": [{"id": "a"}, {"id": "b"}], "nextCursor": "x/y"}, {"items": [{"id": "c"}], "nextCursor": None}
        client = self.client((200, {}, first), (200, {}, second))
        self.assertEqual([run["id"] for run in client.runs(limit=None, state="queued")], ["a", "b", "c"])
        self.assertIn("cursor=x%2Fy", self.server.asked[1][1])
        self.assertTrue(all("state=queued" in path for _, path, *_ in self.server.asked))
        client = self.client((200, {}, first))
        self.assertEqual(len(client.runs(limit=1)), 1)

    def test_a_redirect_is_not_followed_with_the_token(self):
        with self.assertRaises(ApiError) as caught:
            self.client((302, {"Location": "http://127.0.0.1:9/"}, {})).me()
        self.assertEqual(caught.exception.status, 302)

    def test_waiting_shows_progress_and_raises_for_a_failed_run(self):
        running = {"id": RUN, "state": "running", "progress": {"phase": "train", "done": 5, "total": 1000}}
        failed = {"id": RUN, "state": "failed", "error": {"code": "diverged", "detail": "The loss is not finite."}}
        client = self.client((200, {}, running), (200, {}, failed))
        shown = io.StringIO()
        with contextlib.redirect_stderr(shown), self.assertRaisesRegex(RunFailed, "not finite"):
            client.wait(RUN, poll=0)
        self.assertEqual(shown.getvalue(), "55555555 running train 5/1,000\n55555555 failed\n")
        with self.assertRaises(TimeoutError):
            self.client((200, {}, running)).wait(RUN, poll=1, timeout=0, progress=False)

    def test_series_are_tables(self):
        points = [{"step": 1, "value": 2.5}, {"step": 2, "value": None, "diverged": True}]
        answer = {"name": "meta-loss", "raw": True, "points": points}
        client = self.client((200, {}, answer), (200, {}, answer))
        with mock.patch.dict(sys.modules, {"pandas": None}):
            table = client.series(RUN)
        self.assertIsInstance(table, Table)
        self.assertEqual((table["value"], table[0], len(table)), ([2.5, None], {"step": 1, "value": 2.5}, 2))
        self.assertIn("2.5", repr(table))
        self.assertEqual(list(client.series(RUN)["step"]), [1, 2])

    def test_a_download_is_checked_and_leaves_nothing_when_it_is_wrong(self):
        item = {"id": RUN, "name": "final", "step": 3, "sha256": "0" * 64}
        client = self.client((200, {}, {"items": [item]}), (200, {}, b"bytes"), (200, {}, {"items": []}))
        with self.assertRaisesRegex(OSError, "SHA-256"):
            client.download(RUN, self.home / "x.safetensors")
        self.assertEqual(list(self.home.iterdir()), [])
        with self.assertRaisesRegex(KeyError, "none"):
            client.download(RUN, self.home / "x.safetensors")

    def test_an_end_of_an_id_must_be_of_one_run(self):
        runs = {"items": [{"id": RUN}, {"id": RUN}], "nextCursor": None}
        with self.assertRaisesRegex(KeyError, "Several"):
            self.client((200, {}, runs)).run("5555")
        with self.assertRaisesRegex(KeyError, "No run"):
            self.client((200, {}, {"items": []})).run("5555")

    def asked_with(self, client):
        self.server.answers.append((200, {}, {}))
        client.me()
        return self.server.asked[-1][2].get("Authorization")

    def test_address_and_token_come_from_argument_environment_login_and_data_folder(self):
        (self.home / "admin-token").write_text("of-admin\n")
        (self.home / "run").mkdir()
        (self.home / "run" / "address").write_text(self.url)
        self.assertEqual(self.asked_with(Client()), "Bearer of-admin")
        (self.home / "login").write_text(json.dumps({"Server": self.url + "/", "Token": "of-login"}))
        self.assertEqual(self.asked_with(Client()), "Bearer of-login")
        with mock.patch.dict(os.environ, {"METAOPT_TOKEN": "of-environment", "METAOPT_URL": self.url}):
            self.assertEqual(self.asked_with(Client()), "Bearer of-environment")
            self.assertEqual(self.asked_with(Client(token="given")), "Bearer given")

    def test_no_token_of_this_machine_goes_to_another_server(self):
        (self.home / "admin-token").write_text("of-admin")
        (self.home / "login").write_text(json.dumps({"Server": self.url + "/", "Token": "of-login"}))
        self.assertIsNone(Client("http://192.0.2.1")._token)

    def test_a_broken_login_file_is_nobody_signed_in(self):
        for text in ("{", "[]", '{"Server": 5}'):
            (self.home / "login").write_text(text)
            self.assertIsNone(Client(self.url)._token)

    def test_this_machines_server_is_never_reached_through_a_proxy(self):
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}):
            self.assertEqual(self.asked_with(Client(self.url, "t")), "Bearer t")

    def test_an_address_must_be_whole(self):
        for address in ("localhost:5080", "ftp://x", "http://"):
            with self.assertRaises(ValueError):
                Client(address)


if __name__ == "__main__":
    unittest.main()
