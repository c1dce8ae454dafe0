"""Asking a process whether it is ready, without ever raising."""

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor

import psycopg

from stack import postgres, secrets_file
from stack.errors import StackError
from stack.home import Home
from stack.program import Check, Program

ANSWER_S = 1.0
HTTP_OK = range(200, 300)


def is_ready(home: Home, check: Check) -> bool:
    """Ask once and wait a second at most; anything but a clear yes is a no."""
    try:
        if check.via == "postgres":
            return _postgres(home, check.port)
        if check.via == "valkey":
            return _valkey(home, check.port)
        if check.via == "tcp":
            return _tcp(check.port, bytes.fromhex(check.say))
        return _http(check.port, check.path)
    except (OSError, http.client.HTTPException, psycopg.Error, StackError):
        return False


def ready_names(home: Home, programs: list[Program]) -> set[str]:
    """Ask all at once; return the names that said yes."""

    def ready(program: Program) -> bool:
        return is_ready(home, program.check)

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = pool.map(ready, programs)
        return {program.name for program, answer in zip(programs, answers, strict=True) if answer}


def _http(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status in HTTP_OK
    finally:
        connection.close()


def _postgres(home: Home, port: int) -> bool:
    with psycopg.connect(
        host=str(postgres.directory(home)), port=port, user="postgres", dbname="postgres", connect_timeout=2
    ):
        return True


def _tcp(port: int, question: bytes) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.sendall(question)
        return not question or bool(connection.recv(1))


def _valkey(home: Home, port: int) -> bool:
    password = secrets_file.load(home)["valkey-password"]
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        with connection.makefile("rb") as answers:
            return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
