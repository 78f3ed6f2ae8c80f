"""The daemon's own errors; the shared ones are in `arp_service.errors`.

ServiceError
├── InvalidSelectorError         400  the run's selector contradicts itself
├── ProfileNotFoundError         404
├── InstanceNotFoundError        404
├── InstanceLogsNotFoundError    404  it is registered, or has said nothing yet
├── NoMatchingInstanceError      404  the selector matches nothing that runs
├── ProfileInUseError            409  instances of the profile live
├── EndpointNotAllowedError      403  the operator does not allow this endpoint
├── InvalidProfileError          400  a profile's launch details make no sense
├── ProfileNotLaunchableError    422  the profile says nothing of how to launch
├── InstanceStartError           422  the instance did not start, or never got healthy
│   ├── EnvironmentBuildingError 409  its Python environment is being built
│   └── EnvironmentFailedError   422  its Python environment could not be built
├── QueueFullError               429  as many runs wait as the profile allows
├── RuntimeProbeError            422  no ARP runtime answers at a registered endpoint
└── CorruptRecordError           500  a stored record fails its checksum; it is reported, never served
"""

from __future__ import annotations

from typing import Any

from arp_service.errors import (
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    ServiceError,
)


class InvalidSelectorError(InvalidRequestError):
    """The parts of a runtime_selector contradict each other."""

    code = "invalid_selector"


class ProfileNotFoundError(NotFoundError):
    """No runtime profile has this name."""

    code = "runtime_profile_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"Runtime profile {name!r} does not exist.", details={"runtime_profile": name})


class InstanceNotFoundError(NotFoundError):
    """No instance has this id."""

    code = "instance_not_found"

    def __init__(self, instance_id: str) -> None:
        super().__init__(f"Instance {instance_id!r} does not exist.", details={"instance_id": instance_id})


class InstanceLogsNotFoundError(NotFoundError):
    """The daemon has no output of this instance: it did not launch it, or not yet."""

    code = "instance_logs_not_found"

    def __init__(self, instance_id: str) -> None:
        message = f"There are no logs of instance {instance_id!r}: the daemon did not launch it, or not yet."
        super().__init__(message, details={"instance_id": instance_id})


class NoMatchingInstanceError(NotFoundError):
    """Nothing that runs, and nothing that could be started, fits the selector."""

    code = "no_matching_instance"


class ProfileInUseError(ConflictError):
    """Instances of the profile live; delete them first."""

    code = "runtime_profile_in_use"


class EndpointNotAllowedError(ForbiddenError):
    """The operator does not allow calls to this endpoint."""

    code = "endpoint_not_allowed"


class InvalidProfileError(InvalidRequestError):
    """The launch details of a profile make no sense; the message names the place."""

    code = "invalid_runtime_profile"


class ProfileNotLaunchableError(ServiceError):
    """The profile has no launch details: only registered instances can serve it."""

    code = "runtime_profile_not_launchable"
    status = 422

    def __init__(self, name: str) -> None:
        super().__init__(
            f'Runtime profile {name!r} has no extensions["arp.exec"], so nothing can be launched from it.',
            details={"runtime_profile": name},
        )


class InstanceStartError(ServiceError):
    """The instance did not start; `details.stderr_tail` has its last words."""

    code = "instance_start_failed"
    status = 422


class EnvironmentBuildingError(InstanceStartError):
    """The profile's Python environment is being built: runs wait for it, instances cannot be created yet."""

    code = "environment_building"
    status = 409
    retryable = True

    def __init__(self) -> None:
        super().__init__("The profile's environment is being built; ask again when it is ready.")


class EnvironmentFailedError(InstanceStartError):
    """The profile's Python environment could not be built; `details.log_tail` has the installer's last words.

    Putting the profile again tries again.
    """

    code = "environment_failed"

    def __init__(self, error: str, log_tail: str = "") -> None:
        super().__init__(f"The profile's environment could not be built: {error}", details={"log_tail": log_tail})


class QueueFullError(ServiceError):
    """As many runs wait as the profile's `max_queued`, or as much as the daemon's `--max-queued-bytes`, allows."""

    code = "queue_full"
    status = 429
    retryable = True

    def __init__(self, message: str, details: dict[str, Any]) -> None:
        super().__init__(message, details=details, headers={"Retry-After": "1"})


class IdempotencyKeyConflictError(ConflictError):
    """The `Idempotency-Key` was sent with another request before."""

    code = "idempotency_key_conflict"

    def __init__(self, key: str, run_id: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} has made run {run_id!r} of another request; choose another key.",
            details={"run_id": run_id},
        )


class RuntimeProbeError(ServiceError):
    """What answers at the endpoint is no ARP v1 runtime, or nothing answers."""

    code = "runtime_probe_failed"
    status = 422


class CorruptRecordError(ServiceError):
    """A stored record fails its checksum."""

    code = "corrupt_record"
    status = 500
