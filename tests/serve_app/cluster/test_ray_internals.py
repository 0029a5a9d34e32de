"""What is used of Ray's insides is there in the Ray that is installed; no cluster is started."""

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import ray
from ray._private import node as ray_node
from ray._private import ray_constants
from ray._private.parameter import RayParams
from ray._private.state import GlobalState
from ray._raylet import InnerGcsClient  # type: ignore[attr-defined]  # compiled
from ray.core.generated import autoscaler_pb2, node_manager_pb2, node_manager_pb2_grpc
from ray.dashboard.modules.serve.sdk import ServeSubmissionClient
from ray.serve.schema import ApplicationDetails, ServeInstanceDetails

from data.errors import Conflict
from serve_app.cluster.launch import _head_parameters
from serve_app.cluster.ray_internals import environment, inner_port, node, workers
from serve_app.cluster.ray_internals.haproxy_lines import SECTIONS, with_lines
from serve_app.cluster.ray_internals.haproxy_template import rendered
from serve_app.settings import settings_from_env

RAY = Path(ray.__file__).parent
NEW = f"Ray {version('ray')}"
ROOT = Path(__file__).parents[3]
LINES = {section: [f"at {section}"] for section in SECTIONS}
LEFT_ALONE = "two services of one machine take each other's "
NOT_OURS = "HAProxy runs without the lines that guard the replicas, and others of its own"

# Each variable -> what comes of a Ray that does not read it.
WITHOUT = {
    "RAY_SERVE_ENABLE_HA_PROXY": "Serve's own proxy answers 0.29 of what HAProxy does",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "a replica answers 0.82 of what it did",
    "RAY_SERVE_USE_GRPC_BY_DEFAULT": "calls may go by the inner port, which is closed, and fail",
    "RAY_SERVE_HAPROXY_NBTHREAD": "HAProxy has four threads beside replicas with one each",
    "RAY_SERVE_HAPROXY_METRICS_ENABLED": "each request costs 0.25 to 0.3 ms of Python more",
    "RAY_SERVE_HAPROXY_RETRY_ON": "a prediction whose replica died is not repeated at another",
    "RAY_SERVE_HAPROXY_RETRIES": "a clip that kills replicas kills more of them",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "a replica takes 30 s to go instead of 5 s",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "on a busy machine Serve kills its HAProxy's manager",
    "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "a dead HAProxy is back after 24 s, not 6.5 s",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "a dead HAProxy is back after 24 s, not 6.5 s",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "the control loop costs 0.06 ms a request more",
    "SERVE_SOCKET_REUSE_PORT_ENABLED": "HAProxy does not start while its stand-in has the port",
    "RAY_ROTATION_MAX_BYTES": "logs fill the disk",
    "RAY_ROTATION_BACKUP_COUNT": "logs fill the disk",
    "RAY_worker_niceness": "replicas run at nice 15, behind training",
    "RAY_USAGE_STATS_ENABLED": "Ray reports to its makers",
    "RAY_metrics_report_interval_ms": "Ray's metrics are as old as Ray likes",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "each replica wakes ten times a second for it",
    "RAY_SERVE_AUTOSCALING_METRIC_RECORD_INTERVAL_FACTOR": "each replica wakes five times a second",
    "RAY_preload_python_modules": "the inner port is open, and a replica takes 3.8 s, not 2.1 s",
    "RAY_prestart_worker_first_driver": "a replica starts in 3.8 s instead of 2.1 s",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "Ray listens on the network where nothing should",
    "RAY_GCS_SERVER_PORT": "other machines join at a port that no firewall can name",
    "RAY_SERVE_HAPROXY_METRICS_PORT": LEFT_ALONE + "ports",
    "RAY_SERVE_HAPROXY_STATS_PORT": LEFT_ALONE + "ports",
    "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": LEFT_ALONE + "requests",
    "RAY_SERVE_FALLBACK_PROXY_GRPC_PORT": LEFT_ALONE + "requests",
    "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": LEFT_ALONE + "requests",
    "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": LEFT_ALONE + "requests",
    "RAY_SERVE_HAPROXY_BINARY_PATH": NOT_OURS,
    "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": LEFT_ALONE + "files of HAProxy",
    "RAY_SERVE_HAPROXY_SOCKET_PATH": LEFT_ALONE + "files of HAProxy",
    "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": LEFT_ALONE + "files of HAProxy",
    "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": LEFT_ALONE + "files of HAProxy",
    "RAY_SERVE_HAPROXY_TUNE_BUFSIZE": "no clip above 16 KB is repeated when its replica dies",
    "RAY_SERVE_HAPROXY_MAXCONN": "HAProxy does not start where descriptors are few",
}
# What anybody who uses Ray may set; these stay with their users.
PUBLIC = {
    "RAY_ADDRESS",
    "RAY_API_SERVER_ADDRESS",
    "RAY_DASHBOARD_ADDRESS",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER",
}


@cache
def python_of_ray() -> str:
    folders = ("_private", "_common/usage", "serve/_private")
    paths = (path for folder in folders for path in sorted((RAY / folder).glob("*.py")))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@cache
def raylet() -> bytes:
    return (RAY / "core/src/ray/raylet/raylet").read_bytes()


def takes(function: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
    try:
        inspect.signature(function).bind(*arguments, **named)
    except TypeError:
        return False
    return True


def test_of_each_variable_it_is_said_what_it_is_for() -> None:
    ports = environment.Ports(1, 2, 3, 4, 5, range(6, 7))
    haproxy = environment.haproxy_environment(Path("/a"), Path("/b"), 1, 2)
    found = {**environment.SETTINGS, **environment.ON_LOOPBACK, **ports.environment(), **haproxy}
    assert set(WITHOUT) == set(found)


@pytest.mark.parametrize("name", WITHOUT)
def test_ray_reads_every_variable_that_it_is_given(name: str) -> None:
    compiled = name.removeprefix("RAY_").encode() in raylet()
    assert compiled or f'"{name}"' in python_of_ray(), (
        f"{NEW} no longer reads {name}; without it {WITHOUT[name]}"
    )


def test_only_this_room_names_variables_that_ray_does_not_promise_to_keep() -> None:
    found = set()
    for layer in ("data", "models", "training", "serve_app", "loadtest"):
        for path in (ROOT / layer).rglob("*.py"):
            if "ray_internals" not in path.parts:
                names = re.findall(r"[\"'](RAY_\w+)[\"'\]=]", path.read_text(encoding="utf-8"))
                found |= {(str(path.relative_to(ROOT)), name) for name in {*names} - PUBLIC}
    assert not found


def test_a_node_starts_with_the_parameters_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELLTALE_HOME", str(tmp_path))
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8265")
    given = _head_parameters(settings_from_env({}), tmp_path) | dict.fromkeys(
        ("num_cpus", "object_store_memory", "dashboard_agent_listen_port")  # of both
    )
    assert takes(RayParams, **given, gcs_address="", include_log_monitor=False), (
        f"{NEW}'s RayParams no longer takes what ray_node.py, launch.py and join.py give it; no "
        "node starts"
    )
    assert takes(ray_node.Node, None, head=True, shutdown_at_exit=False, spawn_reaper=True), (
        f"{NEW}'s Node no longer takes head, shutdown_at_exit and spawn_reaper; no node starts"
    )


def test_a_node_can_be_watched_and_stopped() -> None:
    found = ray_node.Node
    assert takes(found.dead_processes, None), f"{NEW} no longer says which of its processes ended"
    assert "self.all_processes[ray_constants.PROCESS_TYPE_RAYLET] = [" in inspect.getsource(
        ray_node
    ), f"{NEW} no longer keeps its processes by name; a dead dashboard or agent is not noticed"
    assert takes(found.start_api_server, None, include_dashboard=True, raise_on_failure=False), (
        f"{NEW} no longer starts a dashboard anew that has ended; retrains stay away with it"
    )
    assert takes(
        found.kill_all_processes, None, check_alive=False, allow_graceful=True, wait=True
    ), f"{NEW} can no longer be stopped from here"
    assert {"gcs_address", "node_id", "get_gcs_client"} <= set(dir(found))


def test_the_parts_of_ray_have_the_names_by_which_they_are_watched() -> None:
    assert node.VITAL == (
        ray_constants.PROCESS_TYPE_GCS_SERVER,
        ray_constants.PROCESS_TYPE_RAYLET,
    ), f"{NEW} calls GCS or its raylet otherwise; when one dies the service stays down"
    assert node.AGENTS == (
        ray_constants.AGENT_PROCESS_TYPE_DASHBOARD_AGENT,
        ray_constants.AGENT_PROCESS_TYPE_RUNTIME_ENV_AGENT,
    ), f"{NEW} calls its agents otherwise; a dead one is noticed half a minute later"
    assert ray_constants.PROCESS_TYPE_DASHBOARD == node.DASHBOARD, (
        f"{NEW} calls its dashboard otherwise; a dead one is not started anew"
    )


def test_a_node_can_be_drained() -> None:
    lost = "a machine that leaves takes the requests of its replicas with it"
    assert node.LEAVING in dict(autoscaler_pb2.DrainNodeReason.items()), (
        f"{NEW} knows no {node.LEAVING}; {lost}"
    )
    assert takes(InnerGcsClient.drain_node, None, "node", 2, "why", 1), (
        f"{NEW}'s GCS client drains nodes otherwise; {lost}"
    )


def test_a_machine_with_another_token_is_told_so() -> None:
    assert "GcsClient(address=" in python_of_ray(), (
        f"{NEW} itself asks GCS otherwise; no machine can join if is_let_in does not"
    )
    assert hasattr(ray.exceptions, "AuthenticationError"), (
        f"{NEW} refuses a wrong token otherwise; a machine that may not join waits for ever"
    )


def test_applications_are_deployed_and_looked_at_through_the_dashboard() -> None:
    client = ServeSubmissionClient
    changed = f"{NEW}'s client of the dashboard is asked otherwise; no application is deployed"
    assert takes(client, "http://a:1"), changed
    assert takes(client.deploy_applications, None, {}), changed
    assert takes(client.get_serve_details, None), changed
    assert "applications" in ServeInstanceDetails.model_fields, f"{NEW} lists no applications"
    assert {"status", "message"} <= set(ApplicationDetails.model_fields), (
        f"{NEW} tells how applications stand otherwise; a start never ends"
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is asked of this node's raylet, which a gRPC server stands for."""
    requests = []

    # Of what is generated for Ray nothing is typed.
    class Raylet(node_manager_pb2_grpc.NodeManagerServiceServicer):  # type: ignore[misc]
        def PrestartWorkers(self, request: Any, context: Any) -> Any:
            requests.append(request)
            return node_manager_pb2.PrestartWorkersReply()

    server = grpc.server(ThreadPoolExecutor(1))
    node_manager_pb2_grpc.add_NodeManagerServiceServicer_to_server(Raylet(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    here = {"NodeID": "n", "NodeManagerAddress": "127.0.0.1", "NodeManagerPort": port}
    context = SimpleNamespace(get_job_id=lambda: "02000000", get_node_id=lambda: "n")
    monkeypatch.setattr(ray, "nodes", lambda: [here])
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    yield requests
    server.stop(None)


def test_a_raylet_is_asked_for_a_worker_in_its_own_words(asked: list[Any]) -> None:
    assert hasattr(node_manager_pb2, "PrestartWorkersRequest"), (
        f"{NEW}'s raylet no longer has PrestartWorkers; replicas then start in 3.8 s, not 2.1 s"
    )
    assert hasattr(GlobalState, "job_table"), "which tells whether a job has ended"
    workers.prestart()
    (request,) = asked
    assert (request.job_id, request.num_workers) == (b"\2\0\0\0", 1)
    assert request.keep_alive_duration_secs == workers.KEEP_ALIVE_S


def test_a_jobs_supervisor_has_the_environment_for_which_a_worker_is_started() -> None:
    from ray.dashboard.modules.job.job_manager import JobManager

    made = JobManager._get_supervisor_runtime_env(None, None, "r1")
    assert made == workers.SUPERVISOR, f"{NEW}'s jobs wait 2.4 s longer for their supervisor"
    agent = (RAY / "dashboard/agent.py").read_text() + (
        RAY / "_private/ray_constants.py"
    ).read_text()
    assert workers.AGENT.decode().removeprefix("ray::") in agent


def test_workers_have_the_names_by_which_they_are_counted() -> None:
    slow = "no spares are counted; replicas then start in 3.8 s, not 2.1 s"
    assert ray_constants.WORKER_PROCESS_TYPE_IDLE_WORKER == workers.IDLE, (
        f"{NEW} calls idle workers otherwise; {slow}"
    )
    assert (RAY / "_private/workers" / workers.STARTING).exists(), (
        f"{NEW} starts workers otherwise; {slow}"
    )
    for name in (workers.RAYLET_PID, workers.JOB_ID):
        assert name.encode() in raylet(), f"{NEW} no longer tells workers {name}; {slow}"
    assert (RAY.parent / f"{workers.REPLICA.replace('.', '/')}.py").exists(), (
        f"{NEW} has no {workers.REPLICA} to import ahead; {slow}"
    )


def test_the_inner_port_is_not_bound() -> None:
    code = (
        "from serve_app.cluster.ray_internals.inner_port import keep_closed, must_be_closed\n"
        "keep_closed(); must_be_closed()"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, (
        f"{NEW} binds Serve's inner port past inner_port.py; whoever reaches the machine could run "
        f"code in a replica: {found.stderr}"
    )


def test_a_replica_whose_inner_port_would_be_bound_does_not_start() -> None:
    with pytest.raises(RuntimeError, match="anybody could run code"):
        inner_port.must_be_closed()


def test_other_servers_of_ray_bind_as_they_ask_to() -> None:
    closed = inner_port.Closed(lambda server, address: 7)
    assert closed(None, "127.0.0.1:0") == 7
    assert closed(None, inner_port.EVERYWHERE) == 0


def test_a_handle_reports_nothing_to_the_autoscaler() -> None:
    code = (
        "from types import SimpleNamespace as Having\n"
        "from ray.serve._private.router import RouterMetricsManager as Manager\n"
        "from serve_app.cluster.ray_internals.quiet_handles import keep_quiet\n"
        "manager = Manager.__new__(Manager)\n"
        "manager._shutdown, manager.num_queued_requests, begun = False, 1, []\n"
        "pusher = Having(stop_tasks=lambda: None, start=lambda: begun.append(1),\n"
        "    register_or_update_task=lambda *task: begun.append(task))\n"
        "manager.metrics_pusher = pusher\n"
        "scaled = Having(autoscaling_config=Having(look_back_period_s=1, metrics_interval_s=1))\n"
        "manager.update_deployment_config(scaled, 1)\n"
        "assert len(begun) == 3, begun\n"
        "keep_quiet()\n"
        "manager.update_deployment_config(scaled, 0)\n"
        "assert len(begun) == 3, begun\n"
        "assert not manager.should_send_scaled_to_zero_optimized_push(0)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, (
        f"{NEW}'s handles report otherwise; each wakes seven times a second: {found.stderr}"
    )


def test_a_replica_does_without_pandas_and_who_wants_it_has_it() -> None:
    code = (
        "import sys\n"
        "import serve_app.cluster.standby_imports\n"
        "from serve_app.cluster.standby import NEEDED\n"
        "for name in NEEDED: __import__(name)\n"
        "assert 'ray.serve' in sys.modules\n"
        "print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))\n"
        "import pandas; print(pandas.DataFrame.__name__)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.split() == ["[]", "DataFrame"], (
        f"{NEW} has each replica import what it never uses: 66 MB and half a second: {found.stderr}"
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What Serve writes for HAProxy."""
    folder = tmp_path_factory.mktemp("haproxy")
    try:
        return rendered(folder, "127.0.0.1", 8000, [30_000, 30_001], 8500)
    except (AttributeError, ImportError, TypeError) as error:
        pytest.fail(f"{NEW}'s Serve renders HAProxy's configuration otherwise ({error}); no start")


@pytest.mark.parametrize(
    ("written", "purpose"),
    [
        (r"^    errorfile 50[234] /", "Serve's plain 500 is taken out"),
        (r" return status 404 ", "Serve's plain 404 is taken out"),
        (r"^    server fallback .* backup$", "Serve's own proxy is taken out as a backup"),
        (r"^ +bind \*?:\d+$", "what listens everywhere is bound to the service's host"),
    ],
)
def test_serve_writes_what_is_changed(config: str, written: str, purpose: str) -> None:
    assert re.search(written, config, re.MULTILINE), (
        f"{NEW} writes nothing like {written} for HAProxy; look how {purpose} in haproxy_lines.py"
    )


def test_our_lines_go_into_what_serve_writes(config: str) -> None:
    edited = with_lines(config, "127.0.0.1", LINES)
    assert edited.count("\ndefaults\n    at defaults\n") == edited.count("at defaults") == 1
    listening = "\nfrontend http_frontend\n    bind 127.0.0.1:8000\n    at frontend\n"
    assert edited.count(listening) == edited.count("at frontend") == 1
    assert re.findall(r"^backend (\S+)\n    at backend$", edited, re.MULTILINE) == [
        "default_backend",
        "http-app",
    ]
    assert edited.endswith("\nat tables\n")
    assert not re.search(r"errorfile|status 404| backup$|bind \*?:", edited, re.MULTILINE)
    kept = [line for line in config.splitlines() if "server replica-" in line]
    assert len(kept) == 2
    assert set(kept) <= set(edited.splitlines())
    assert with_lines(edited, "127.0.0.1", LINES) == edited


def test_haproxy_that_knows_no_application_listens_to_nobody(config: str) -> None:
    before, _, after = config.partition("backend http-app\n")
    alone = with_lines(before + after[after.index("listen stats") :], "127.0.0.1", LINES)
    assert "bind 127.0.0.1:8000" in config
    assert "bind 127.0.0.1:8000" not in alone


@pytest.mark.parametrize(
    ("as_it_is", "as_it_might_be", "said"),
    [
        ("\ndefaults\n", "\ndefaults serve\n", "no one section `defaults`"),
        ("frontend http_frontend", "frontend http", "no one `frontend http_frontend`"),
        ("    bind 127.0.0.1:8000\n", "", "no one `frontend http_frontend` that listens"),
        ("backend http-app\n", "listen http-app\n", "reached by `listen http-app` too"),
        ("listen stats\n", "frontend tls\n  use_backend http-app\n", "come in by `frontend tls`"),
        ("bind *:", "bind [::]:", r"`bind \[::\]:\d+` is not at 127.0.0.1 alone"),
    ],
)
def test_a_configuration_that_leaves_a_way_past_our_lines_is_refused(
    config: str, as_it_is: str, as_it_might_be: str, said: str
) -> None:
    with pytest.raises(Conflict, match=said):
        with_lines(config.replace(as_it_is, as_it_might_be), "127.0.0.1", LINES)


def test_a_node_that_does_not_come_up_is_stopped_since_it_might_yet_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(started: ray_node.Node, parameters: RayParams, **options: Any) -> None:
        started.all_processes = {"raylet": []}
        raise Exception("The current node timed out during startup.")

    stopped: list[ray_node.Node] = []
    monkeypatch.setattr(ray_node.Node, "__init__", late)
    monkeypatch.setattr(
        ray_node.Node, "kill_all_processes", lambda started, **options: stopped.append(started)
    )
    with pytest.raises(Exception, match="timed out"):
        node.RayNode(head=False)
    assert len(stopped) == 1
