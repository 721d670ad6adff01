"""RDS Data API: runs statements on a PostgreSQL server that the test starts."""

import base64
import re
from datetime import datetime, timezone

import psycopg2
from ministack.core import iam_evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id
from ministack.services import rds_data
from psycopg2.extensions import adapt

from . import replace, require
from .iam import caller_may

# The types of values without a hint, and those of hints.
TYPES = {
    "stringValue": "varchar",
    "longValue": "bigint",
    "doubleValue": "double precision",
    "booleanValue": "boolean",
    "blobValue": "bytea",
}
HINTS = {"DATE": "date", "DECIMAL": "numeric", "JSON": "jsonb", "TIME": "time", "TIMESTAMP": "timestamp", "UUID": "uuid"}

_CLUSTER = re.compile(r"cluster:\S+-(\d{4,5})")
_type_names = {}  # OID -> name, of the last server used


def mend() -> None:
    require(rds_data, "_error")
    require(iam_evaluator, "pin_request_caller")
    replace(rds_data, "handle_request", _with_its_caller)
    replace(rds_data, "_resolve_target", _server_by_port)
    replace(rds_data, "_require_secret_credentials", _as_the_caller)
    replace(rds_data, "_connect", _in_utc)
    replace(rds_data, "_convert_parameters", lambda _: _bind)
    replace(rds_data, "_substitute_named_params", _with_percent_signs)
    replace(rds_data, "_field_value", _typed)
    replace(rds_data, "_column_metadata", _with_type_names)
    replace(rds_data, "_sql_execution_error", _with_state)


def _with_its_caller(original):
    """The emulator knows the callers of the other services, but not of this one."""

    def handle(method, path, headers, body, query):
        iam_evaluator.pin_request_caller(headers, query)
        return original(method, path, headers, body, query)

    return handle


def _server_by_port(original):
    """A cluster of the caller whose name ends in a port is the server at that port of the loopback interface. The emulator would
    start one in a container.
    """

    def resolve(resource_arn):
        try:
            arn = parse_arn(resource_arn)
        except ArnParseError:
            return original(resource_arn)
        named = _CLUSTER.fullmatch(arn.resource)
        if not named or (arn.service, arn.account_id) != ("rds", get_account_id()):
            return original(resource_arn)
        endpoint = {"Address": "127.0.0.1", "Port": int(named[1])}
        return {"Endpoint": endpoint, "_docker_container_id": "none"}, "aurora-postgresql", None

    return resolve


def _as_the_caller(original):
    """AWS reads the secret with the permissions of the caller, the emulator with its own."""

    def credentials(secret_arn):
        if caller_may("secretsmanager:GetSecretValue", secret_arn):
            return original(secret_arn)
        problem = f"The caller is not allowed secretsmanager:GetSecretValue on {secret_arn}."
        return None, None, rds_data._error("AccessDeniedException", problem, 403)

    return credentials


def _in_utc(original):
    """Connections use UTC, independent of the server's own zone."""

    def connect(*arguments, **options):
        connection = original(*arguments, **options)
        with connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'UTC'; SELECT oid::bigint, typname FROM pg_type")
            _type_names.clear()
            _type_names.update(cursor.fetchall())
        return connection

    return connect


class _Cast:
    """A value with a type, as the protocol binds it: a text is never compared as a number."""

    def __init__(self, value, type_name: str):
        self.value, self.type_name = adapt(value), type_name

    def __conform__(self, _protocol):
        return self

    def prepare(self, connection) -> None:
        if hasattr(self.value, "prepare"):
            self.value.prepare(connection)

    def getquoted(self) -> bytes:
        return b"CAST(%b AS %b)" % (self.value.getquoted(), self.type_name.encode())


def _bind(parameters):
    """Binds parameters with their types. The statement decides the type of a null without a hint."""
    bound = {}
    for parameter in parameters:
        [(kind, value)] = parameter["value"].items()
        if kind == "isNull":
            value = None
        elif kind == "blobValue":
            value = base64.b64decode(value)
        type_name = HINTS.get(parameter.get("typeHint"), TYPES.get(kind))
        bound[parameter["name"]] = _Cast(value, type_name) if type_name else value
    return bound


def _with_percent_signs(original):
    """Keeps percent signs in a statement. With parameters, psycopg2 would read one as the start of a placeholder."""
    return lambda sql, names: original(sql.replace("%", "%%") if names else sql, names)


def _typed(original):
    """Formats bytes, lists and instants as AWS does. The emulator returns Python's text of them."""

    def field(value, *rest):
        match value:
            case memoryview():
                return {"blobValue": base64.b64encode(value).decode()}
            case list():
                return {"arrayValue": _array(value)}
            case datetime():
                value = value.astimezone(timezone.utc) if value.tzinfo else value
                text = f"{value:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")
                return {"stringValue": text}
        return original(value, *rest)

    return field


def _array(items: list) -> dict:
    match items[:1]:
        case [list()]:
            return {"arrayValues": [_array(item) for item in items]}
        case [bool()]:
            return {"booleanValues": items}
        case [int()]:
            return {"longValues": items}
        case [float()]:
            return {"doubleValues": items}
    return {"stringValues": [str(item) for item in items]}


def _with_type_names(original):
    """Returns the names of types. The emulator calls every type VARCHAR."""

    def metadata(description, engine):
        columns = original(description, engine)
        for column in columns:
            column["typeName"] = _type_names.get(column["type"], "unknown")
        return columns

    return metadata


def _with_state(original):
    """Returns the server's message for a failed statement, with its SQLSTATE."""

    def error(exception):
        if isinstance(exception, psycopg2.Error) and exception.pgcode:
            problem = f"ERROR: {exception.diag.message_primary}; SQLState: {exception.pgcode}"
            return rds_data._error("DatabaseErrorException", problem)
        return original(exception)

    return error
