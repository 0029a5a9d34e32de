"""Ray's worker processes: which are there, and how one more is started ahead of its use."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

IDLE = "ray::IDLE"  # what Ray calls a worker that waits; one that starts has its command line
STARTING = "default_worker.py"
RAYLET_PID, JOB_ID = "RAY_RAYLET_PID", "RAY_JOB_ID"  # Ray tells a worker both at its start
KEEP_ALIVE_S = 7 * 24 * 3600  # Ray ends idle workers sooner where few CPUs are left
AGENT = b"ray::DashboardAgent"  # starts a job's supervisor, whose environment is this, to the byte
SUPERVISOR = {
    "env_vars": {
        "RAY_EXPERIMENTAL_NOSET_ASCEND_RT_VISIBLE_DEVICES": "1",
        "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
        "RAY_worker_niceness": "0",
    }
}
REPLICA = "ray.serve._private.replica"  # what becomes a replica of Serve imports it


def raylet_pid() -> str:
    """Names the raylet below which this worker runs. Raises KeyError outside of workers."""
    return os.environ[RAYLET_PID]


def workers(raylet: str, job: str, proc: Path = Path("/proc")) -> dict[int, str]:
    """pid -> title of a job's workers below one raylet."""
    ours = {f"{RAYLET_PID}={raylet}".encode(), f"{JOB_ID}={job}".encode()}
    found = {}
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is another user's
            raw = (folder / "cmdline").read_bytes().replace(b"\0", b" ").strip()
            title = raw.decode("utf-8", errors="replace")
            if (title.startswith("ray::") or STARTING in title) and ours <= {
                *(folder / "environ").read_bytes().split(b"\0")
            }:
                found[int(folder.name)] = title
    return found


def own_workers() -> dict[int, str]:
    """Those of the job that calls, on this node."""
    import ray

    return workers(raylet_pid(), ray.get_runtime_context().get_job_id())


def own_job_has_ended() -> bool:
    """Of the job that calls. Serve's actors are of the dashboard's, through which it was deployed:
    they outlive it, but Ray ends an idle worker of such a job as soon as it has started."""
    import ray
    from ray._private.state import state

    own = ray.get_runtime_context().get_job_id()
    return any(row["IsDead"] for row in state.job_table() if row["JobID"] == own)


def prestart() -> None:
    """Asks this node's raylet for one more worker of the job that calls; it comes when it comes."""
    import ray

    _prestart(ray.get_runtime_context().get_job_id(), {}, KEEP_ALIVE_S)


def prestart_supervisor(keep_alive_s: int) -> None:
    """The same for the supervisor of the next job that is submitted: it takes a second of CPU twice
    to import Ray. Nothing happens before a service's first job, nor away from Ray's head."""
    from ray._private.state import state

    raylet = raylet_pid()
    for row in state.job_table():
        submits = not row["IsDead"] and _is_agent(Path("/proc", str(row["DriverPid"])), raylet)
        if submits and IDLE not in workers(raylet, row["JobID"]).values():
            _prestart(row["JobID"], SUPERVISOR, keep_alive_s)


def _is_agent(process: Path, raylet: str) -> bool:
    with contextlib.suppress(OSError):
        stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
        parent = stat.rpartition(")")[2].split()[1]
        return parent == raylet and (process / "cmdline").read_bytes().startswith(AGENT)
    return False


def _prestart(job: str, runtime_env: Mapping[str, object], keep_alive_s: int) -> None:
    import ray
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import node_manager_pb2, node_manager_pb2_grpc

    here = ray.get_runtime_context().get_node_id()
    node = next(node for node in ray.nodes() if node["NodeID"] == here)
    request = node_manager_pb2.PrestartWorkersRequest(
        job_id=bytes.fromhex(job), num_workers=1, keep_alive_duration_secs=keep_alive_s
    )
    request.runtime_env_info.serialized_runtime_env = json.dumps(runtime_env, sort_keys=True)
    with init_grpc_channel(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}") as channel:
        stub = node_manager_pb2_grpc.NodeManagerServiceStub(channel)
        stub.PrestartWorkers(request, timeout=5)
