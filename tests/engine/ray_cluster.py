"""Two nodes of a Ray cluster on this machine, of one processor each, until standard input ends.

Prints a line of JSON: the address, and the process and name of the second node.
"""

from __future__ import annotations

import json
import os
import socket
import sys

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from ray.cluster_utils import Cluster

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "memory": 2 << 30, "include_dashboard": False}
AGENTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
"""A node whose agents have ports does not wait for them, which it gives up on a busy machine."""
NOTICED = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_failure_threshold": 3}


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def ports() -> dict[str, int]:
    """Ports of the agents of a node."""
    return {name: free_port() for name in AGENTS}


if __name__ == "__main__":
    head = {**NODE, **ports(), "_system_config": NOTICED}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        second = cluster.add_node(**NODE, **ports())
        cluster.wait_for_nodes()
        process = second.all_processes["raylet"][0].process.pid
        state = {"address": cluster.address, "second": process, "node": second.node_id}
        sys.stdout.write(json.dumps(state) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    finally:
        cluster.shutdown()
