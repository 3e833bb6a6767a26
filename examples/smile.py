"""Asks SmileApi about pictures: python3 smile.py a.jpg b.jpg ... (Python 3.9 or newer, no packages)."""

import base64
import http.client
import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

SERVICE = os.environ.get("SMILE_API", "http://localhost:8080")


def classify(path):
    """One picture: its verdict, or the problem with it."""
    with open(path, "rb") as file:
        request = urllib.request.Request(SERVICE + "/classify", data=file.read(), headers={"Content-Type": "application/octet-stream"})
    try:
        with urllib.request.urlopen(request) as response:
            return {"name": path, "result": json.load(response)}
    except urllib.error.HTTPError as error:
        return {"name": path, "problem": json.load(error)}


def classify_many(paths):
    """Many pictures in one request: a result for each, in their order, as they come. Pictures are read as they are sent."""
    service = urllib.parse.urlsplit(SERVICE)
    connection = http.client.HTTPConnection(service.hostname, service.port)
    connection.putrequest("POST", "/classify/batch")
    connection.putheader("Content-Type", "application/x-ndjson")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()

    def send():
        for path in paths:
            with open(path, "rb") as file:
                line = json.dumps({"name": path, "image": base64.b64encode(file.read()).decode()}).encode() + b"\n"
            connection.send(b"%x\r\n%s\r\n" % (len(line), line))
        connection.send(b"0\r\n\r\n")

    # The service reads as fast as its results are read, so that both must go on at the same time.
    threading.Thread(target=send, daemon=True).start()
    with connection.getresponse() as response:
        if response.status != 200:
            raise SystemExit(json.load(response)["detail"])
        for line in response:
            result = json.loads(line)
            if "index" not in result:
                raise SystemExit(result["problem"]["detail"])
            yield result


def main(paths):
    for result in [classify(paths[0])] if len(paths) == 1 else classify_many(paths):
        if "problem" in result:
            print(f"{result['name']}: {result['problem']['detail']}")
        elif result["result"]["probability"] is None:
            print(f"{result['name']}: no face")
        else:
            print(f"{result['name']}: {result['result']['probability']:.3f}")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit("usage: python3 smile.py PICTURE..."))
