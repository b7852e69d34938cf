"""Polls like a network load balancer does and prints every change of a target's health.

Usage: balancer.py PATH INTERVAL TIMEOUT HEALTHY UNHEALTHY ADDRESS...
A target is polled on port 8008; HEALTHY answers of 200 in a row make it healthy, UNHEALTHY others
make it unhealthy again.
"""

import http.client
import json
import sys
import threading
import time


def poll(address, path, timeout):
    try:
        connection = http.client.HTTPConnection(address, 8008, timeout=timeout)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def watch(address, path, interval, timeout, healthy, unhealthy):
    is_healthy, streak = False, 0
    while True:
        begin = time.monotonic()
        good = poll(address, path, timeout)
        streak = streak + 1 if good != is_healthy else 0
        if streak >= (healthy if good else unhealthy):
            is_healthy, streak = good, 0
            print(json.dumps({"address": address, "healthy": is_healthy, "at": time.time()}), flush=True)
        time.sleep(max(0, interval - (time.monotonic() - begin)))


def main():
    path = sys.argv[1]
    interval, timeout, healthy, unhealthy = (int(word) for word in sys.argv[2:6])
    threads = [
        threading.Thread(target=watch, args=(address, path, interval, timeout, healthy, unhealthy))
        for address in sys.argv[6:]
    ]
    for thread in threads:
        thread.start()


main()
