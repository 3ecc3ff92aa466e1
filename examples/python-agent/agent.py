"""An agent in Python, with nothing but the standard library: reads sources and writes a report on them.

It is a plain HTTP server. The worker beside it hands it one task after the other (POST /run) and does the rest: queues,
retries, journal, limits, models, secrets. What the agent asks of the worker goes to the URL that comes with the task.
The contract is docs/agent-protocol.md.
"""

import json
import os
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROTOCOL = 1

# What reading one source takes. Real sources take their own time.
READ_SECONDS = float(os.environ.get("READ_SECONDS", "0.1"))


# Straight to the worker, whatever proxy the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Over(Exception):
    """The attempt has ended: cancelled, out of time, over a limit. No answer reaches the caller any more."""


class Checkpointed(Exception):
    """The worker must stop, and everything up to here is in finished steps: another worker continues."""


class Refused(Exception):
    """The task cannot go on. When the worker refused something, it says what is to become of the task: passed on as it came."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error


class Task:
    """One attempt at a task, and the worker as it is reached from it."""

    def __init__(self, request):
        self.info = request["task"]
        self.input = request["input"]
        self._url = request["worker"]["url"]
        self._token = request["worker"]["token"]
        self.cancelled = threading.Event()
        self.stopping = threading.Event()

    def call(self, method, path, body=None):
        """One request to the worker. Model calls take as long as the model does, so there is no time limit."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": "Bearer " + self._token, "content-type": "application/json"},
        )
        try:
            with OPENER.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as answer:
            error = json.load(answer)["error"]
            raise (Over(error["message"]) if answer.code == 410 else Refused(error)) from None

    def step(self, name, work):
        """Does something once per task: a later attempt gets the value that is returned here."""
        return self._once("/steps", {"name": name}, work)

    def tool(self, name, value, work):
        """Runs a tool: as a step, but counted, limited, and its input checked against the release's schema."""
        return self._once("/tools", {"name": name, "input": value}, work)

    def _once(self, path, body, work):
        self.check()
        begun = self.call("POST", path, body)
        if begun["state"] == "finished":
            return begun["value"]
        step = "/steps/" + begun["step"]
        try:
            value = work(begun["idempotencyKey"])
        except Exception as error:
            self.call("POST", step + "/fail", {"message": str(error)})
            raise
        return self.call("POST", step + "/finish", {"value": value})["value"]

    def prompt(self, name, **variables):
        return self.call("POST", "/prompts/" + urllib.parse.quote(name), {"variables": variables})["text"]

    def generate(self, prompt):
        """Asks the release's model, or its fallbacks. Kept as a step is: a later attempt does not pay again."""
        self.check()
        return self.call("POST", "/model", {"prompt": prompt})["text"]

    def score(self, value):
        self.call("PUT", "/score", {"value": value})

    def check(self):
        """Between two pieces of work: is there reason to stop?"""
        if self.cancelled.is_set():
            raise Over("the task was cancelled")
        if self.stopping.is_set():
            raise Checkpointed()


def write_report(task):
    """The agent itself."""
    topic, sources = checked(task.input)
    outline = task.step("outline", lambda _: [f"{number + 1}. {source}" for number, source in enumerate(sources)])
    notes = [task.tool("read", {"source": source}, lambda key, source=source: read(source, key)) for source in sources]
    report = task.generate(task.prompt("report", topic=topic, notes="\n".join(outline + [note["text"] for note in notes])))
    task.score(1.0 if len(notes) == len(sources) else 0.0)
    return {"report": report, "sources": len(notes)}


def checked(value):
    """What a caller sent is anything: the worker does not know what this agent takes."""
    topic, sources = (value.get("topic"), value.get("sources", [])) if isinstance(value, dict) else (None, None)
    if not isinstance(topic, str) or not isinstance(sources, list) or not all(isinstance(one, str) for one in sources):
        raise Refused(failure("invalid_input", "expected { topic: text, sources: [text, …] }")["error"])
    return topic, sources


def read(source, key):
    """Stands for what a real agent would fetch. The key is the same in every attempt: it goes to whatever must not happen twice."""
    print(json.dumps({"level": "INFO", "message": "read", "source": source, "key": key}), flush=True)
    time.sleep(READ_SECONDS)
    return {"text": f"{source} has {len(source)} characters"}


class Agent:
    """Tasks that run, and what the worker says about them."""

    def __init__(self):
        self._running = {}
        self._lock = threading.Lock()

    def run(self, request):
        if request["protocol"] != PROTOCOL:
            return 400, failure("protocol", f"this agent speaks version {PROTOCOL}, not {request['protocol']}")
        task = Task(request)
        key = (task.info["id"], task.info["attempt"])
        with self._lock:
            self._running[key] = task
        try:
            return 200, {"result": write_report(task)}
        except Checkpointed:
            return 200, {"checkpointed": True}
        except Over as over:
            return 200, failure("ended", str(over))
        except Refused as refused:
            return 200, {"error": refused.error}
        finally:
            with self._lock:
                del self._running[key]

    def tell(self, request, what):
        with self._lock:
            task = self._running.get((request["task"]["id"], request["task"]["attempt"]))
        if task is not None:
            getattr(task, what).set()
        return 200, {}


def failure(code, message, kind="fatal"):
    return {"error": {"code": code, "message": message, "kind": kind}}


AGENT = Agent()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path != "/health":
            return self.answer(404, failure("not_found", self.path))
        # With the probe, a release is tried with a whole small task before it gets traffic.
        self.answer(200, {"protocol": PROTOCOL, "probe": {"input": {"topic": "probe", "sources": ["probe"]}}})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path == "/run":
            try:
                self.answer(*AGENT.run(request))
            except Exception as error:  # An unexpected error fails the task.
                self.answer(500, failure("agent_error", repr(error)))
        elif self.path == "/cancel":
            self.answer(*AGENT.tell(request, "cancelled"))
        elif self.path == "/checkpoint":
            self.answer(*AGENT.tell(request, "stopping"))
        else:
            self.answer(404, failure("not_found", self.path))

    def answer(self, status, body):
        text = json.dumps(body).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        except (BrokenPipeError, ConnectionResetError):
            # The worker has given the attempt up, and does not listen any more.
            self.close_connection = True

    def log_message(self, *_):
        """The worker logs tasks; requests are of no interest."""


def main():
    # Containers of one ECS task share localhost; no other process should connect.
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Handler)
    # ECS stops the worker first: no task runs any more when this comes. Tasks that still run are left behind.
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()


if __name__ == "__main__":
    main()
