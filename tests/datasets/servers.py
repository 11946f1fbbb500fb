"""HTTP servers on loopback that speak the three APIs, and misbehave on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Files:
    """One file and how it is served; ``faults`` are used up, one per request for the file.

    A fault is ``("status", code, headers)``, ``("drop", bytes)``, ``("stall", seconds)``,
    ``("length", text)``, ``("wrong", bytes)`` (other content of the same length) or
    ``("shifted",)`` (a part that begins elsewhere).
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.faults: list[tuple[Any, ...]] = []
        self.etag: str | None = '"v1"'
        self.ranges = True
        self.chunked = False
        self.pace = 0.0
        """Seconds between blocks of 64 kB."""
        self.requests: list[dict[str, str]] = []
        self.api_faults: list[tuple[Any, ...]] = []
        self.api_calls: list[tuple[str, str, Any, str]] = []
        """Method, path, JSON body, Authorization."""
        self.md5: str | None = hashlib.md5(content).hexdigest()

    @property
    def bodies(self) -> int:
        """How many bytes of the file's requests were asked from the beginning."""
        return sum("Range" not in r for r in self.requests)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: Files

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def body(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        return json.loads(self.rfile.read(length)) if length else None

    def api(self, status: int, answer: object, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def api_fault(self, method: str) -> bool:
        """Note the call; if a fault is due, answer with it."""
        call = (method, self.path, self.body(), self.headers.get("Authorization", ""))
        self.files.api_calls.append(call)
        if not self.files.api_faults:
            return False
        fault = self.files.api_faults.pop(0)
        if fault[0] == "stall":
            time.sleep(fault[1])
        elif fault[0] == "html":
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"<html>")
        else:
            self.api(fault[1], {"message": "said so", "reason": "said so"}, fault[2])
        return True

    def file(self) -> None:
        files = self.files
        files.requests.append(dict(self.headers))
        fault = files.faults.pop(0) if files.faults else ("none",)
        if fault[0] == "status":
            self.api(fault[1], {"message": "said so"}, fault[2])
            return
        if fault[0] == "stall":
            time.sleep(fault[1])
            self.close_connection = True
            return
        content = bytes(fault[1]) if fault[0] == "wrong" else files.content
        start = self.start_of_range()
        if start is not None and start >= len(content):
            self.api(416, {}, {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start is not None else 200)
        if start is not None:
            first = start + 1 if fault[0] == "shifted" else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if files.etag:
            self.send_header("ETag", files.etag)
        if files.md5:
            encoded = base64.b64encode(bytes.fromhex(files.md5)).decode()
            self.send_header("x-goog-hash", f"crc32c=AAAAAA==,md5={encoded}")
        if fault[0] == "encoded":
            self.send_header("Content-Encoding", "gzip")
        rest = content[start or 0 :]
        if files.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.send(rest, fault[1] if fault[0] == "drop" else len(rest))

    def send(self, content: bytes, most: int) -> None:
        for at in range(0, min(len(content), most), 1 << 16):
            block = content[at : min(at + (1 << 16), most)]
            frame = f"{len(block):x}\r\n".encode() + block + b"\r\n"
            self.wfile.write(frame if self.files.chunked else block)
            time.sleep(self.files.pace)
        if most < len(content):
            self.close_connection = True
        elif self.files.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def start_of_range(self) -> int | None:
        asked = self.headers.get("Range")
        if asked is None or not self.files.ranges:
            return None
        if self.headers.get("If-Range", self.files.etag) != self.files.etag:
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def do_GET(self) -> None:
        if self.path.startswith("/file"):
            self.file()
        elif not self.api_fault("GET"):
            self.answer_get()

    def do_POST(self) -> None:
        if not self.api_fault("POST"):
            self.answer_post()

    def answer_get(self) -> None:
        self.api(404, {"message": "no such thing"})

    answer_post = answer_get


class Girder(Handler):
    """A folder 'f1' that is zipped while it is sent."""

    def do_GET(self) -> None:
        if self.path == "/api/v1/folder/f1/download":
            self.file()
        elif not self.api_fault("GET"):
            self.answer_get()

    def answer_get(self) -> None:
        if self.path == "/api/v1/folder/f1":
            self.api(200, {"_id": "f1", "name": "ACDC"})
        else:
            self.api(400, {"message": "Invalid folder id (x).", "type": "validation"})


class Synapse(Handler):
    """Project syn1 with Abdomen (syn2), which holds RawData.zip (syn3, file handle 77)."""

    accepted = True

    def answer_post(self) -> None:
        path, body = self.files.api_calls[-1][1:3]
        children = {("syn1", "Abdomen"): "syn2", ("syn2", "RawData.zip"): "syn3"}
        if self.headers.get("Authorization") != "Bearer good":
            self.api(401, {"reason": "The token is not valid"})
        elif path == "/repo/v1/entity/child":
            found = children.get((body["parentId"], body["entityName"]))
            self.api(200 if found else 404, {"id": found, "reason": "not found"})
        elif path == "/file/v1/fileHandle/batch":
            wanted = body["requestedFiles"][0]
            assert wanted["fileHandleId"] == "77" and wanted["associateObjectId"] == "syn3"
            assert wanted["associateObjectType"] == "FileEntity"
            url = (
                f"http://127.0.0.1:{self.server.server_address[1]}/file/{len(self.files.api_calls)}"
            )
            handle = {"contentMd5": self.files.md5, "contentSize": len(self.files.content)}
            good = {"fileHandleId": "77", "fileHandle": handle, "preSignedURL": url}
            bad = {"fileHandleId": "77", "failureCode": "UNAUTHORIZED"}
            self.api(200, {"requestedFiles": [good if self.files.md5 != "no" else bad]})

    def answer_get(self) -> None:
        if self.path == "/repo/v1/entity/syn3":
            self.api(200, {"id": "syn3", "name": "RawData.zip", "dataFileHandleId": "77"})
        else:
            self.api(404, {"reason": "not found"})


class Kaggle(Handler):
    """What kagglesdk calls in its TEST environment: one data set, owner/name."""

    def answer_post(self) -> None:
        body = self.files.api_calls[-1][2]
        if self.path != "/api/v1/datasets.DatasetApiService/DownloadDataset":
            self.api(404, {"message": "no such method"})
        elif (body["ownerSlug"], body["datasetSlug"]) != ("owner", "name"):
            self.api(404, {"code": 404, "message": "no such data set"})
        else:
            self.send_response(302)
            self.send_header("Location", "http://localhost:7777/file/signed")
            self.send_header("Content-Length", "0")
            self.end_headers()


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that go away are part of the tests


@contextmanager
def serve(kind: type[Handler], content: bytes, port: int = 0) -> Iterator[tuple[str, Files]]:
    """Run a server; yields its address and its file."""
    files = Files(content)
    handler = type("Bound", (kind,), {"files": files})
    server = Quiet(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
