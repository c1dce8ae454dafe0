"""The one local topology, `dapr/dapr.yaml`, read and checked."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from stack.errors import StackError
from stack.home import CHECKOUT

DEFAULT_FILE = CHECKOUT / "dapr" / "dapr.yaml"


class Shared(BaseModel):
    """What a multi-app run file may say for all apps at once, or for one."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    resources_paths: list[str] | None = None
    config_file_path: str | None = None
    api_listen_addresses: str | None = None
    app_protocol: str | None = None
    app_max_concurrency: int | None = None
    log_level: str | None = None
    max_body_size: str | None = None
    read_buffer_size: str | None = None
    enable_app_health_check: bool | None = None
    app_health_check_path: str | None = None
    app_health_probe_interval: int | None = Field(default=None, gt=0)
    app_health_probe_timeout: int | None = Field(default=None, gt=0)
    app_health_threshold: int | None = Field(default=None, gt=0)
    enable_api_logging: bool | None = None
    env: dict[str, str | int | float | bool] = {}


class App(Shared):
    """One app-id: its sidecar's ports and, unless it is a bare sidecar, its own port and command."""

    app_id: str = Field(alias="appID", pattern=r"^[a-z][a-z0-9-]*$")
    app_dir_path: str = ".."
    app_port: int | None = Field(default=None, gt=0, lt=65536)
    command: list[str] = []
    dapr_http_port: int = Field(alias="daprHTTPPort", gt=0, lt=65536)
    dapr_grpc_port: int = Field(alias="daprGRPCPort", gt=0, lt=65536)
    dapr_internal_grpc_port: int = Field(alias="daprInternalGRPCPort", gt=0, lt=65536)
    metrics_port: int = Field(gt=0, lt=65536)

    @model_validator(mode="after")
    def _an_app_has_both(self) -> "App":
        if bool(self.command) != (self.app_port is not None):
            raise ValueError("appPort and command belong together: give both, or neither for a bare sidecar")
        return self


class Topology(BaseModel):
    """Every app-id, in the order of the file; `common` is already merged into each."""

    model_config = ConfigDict(frozen=True)

    file: Path
    apps: list[App]

    @property
    def services(self) -> list[App]:
        """Return the app-ids that have an app, not just a sidecar."""
        return [app for app in self.apps if app.command]

    def app(self, app_id: str) -> App:
        """Return one app-id's part, or say which there are."""
        for app in self.apps:
            if app.app_id == app_id:
                return app
        known = ", ".join(app.app_id for app in self.apps)
        raise StackError(f"there is no app-id {app_id!r} in {self.file}: it has {known}")


class _RunFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=1)
    common: Shared = Shared()
    apps: list[App] = Field(min_length=1)


def load(file: Path = DEFAULT_FILE) -> Topology:
    """Read *file*; raise `StackError` that names the file and the field when it cannot be used."""
    try:
        run_file = _RunFile.model_validate(yaml.safe_load(file.read_text()))
    except OSError as error:
        raise StackError(f"{file}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise StackError(f"{file}: no valid YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise StackError(f"{file}: {where}: {first['msg']}") from error
    apps = [_merged(run_file.common, app) for app in run_file.apps]
    _refuse_doubles(file, apps)
    return Topology(file=file, apps=apps)


def _merged(common: Shared, app: App) -> App:
    """Let what *app* states win over *common*; environments are joined key by key."""
    stated = app.model_fields_set
    inherited = {name: getattr(common, name) for name in common.model_fields_set - stated}
    return app.model_copy(update={**inherited, "env": {**common.env, **app.env}})


def _refuse_doubles(file: Path, apps: list[App]) -> None:
    seen: dict[str | int, str] = {}
    for app in apps:
        values: dict[str, str | int | None] = {
            "appID": app.app_id,
            "appPort": app.app_port,
            "daprHTTPPort": app.dapr_http_port,
            "daprGRPCPort": app.dapr_grpc_port,
            "daprInternalGRPCPort": app.dapr_internal_grpc_port,
            "metricsPort": app.metrics_port,
        }
        for field, value in values.items():
            if value is None:
                continue
            if value in seen:
                raise StackError(f"{file}: apps.{app.app_id}.{field}: {value} is already {seen[value]}")
            seen[value] = f"apps.{app.app_id}.{field}"
