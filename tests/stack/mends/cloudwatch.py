"""CloudWatch: describes alarms with all their settings."""

import json
from xml.sax.saxutils import escape

from ministack.services import cloudwatch

from . import replace, require


def mend() -> None:
    require(cloudwatch, "_xml")
    replace(cloudwatch, "_describe_alarms", _whole)


def _whole(original):
    """The emulator omits half of an alarm's settings in the query protocol, which Terraform uses, so every plan would change
    them. Its JSON answer has all of them.
    """

    def describe(params, data, is_cbor, is_json=False):
        if is_cbor or is_json:
            return original(params, data, is_cbor, is_json)
        query = {"AlarmNames": [value[0] for name, value in params.items() if name.startswith("AlarmNames.member.")]}
        alarms = json.loads(original({}, query, False, True)[2])["MetricAlarms"]
        for alarm in alarms:
            if alarm["ExtendedStatistic"]:
                del alarm["Statistic"]  # an alarm has one of the two; the emulator invents this one
        return cloudwatch._xml(200, "DescribeAlarmsResponse", _element("DescribeAlarmsResult", {"MetricAlarms": alarms}))

    return describe


def _element(name: str, value) -> str:
    match value:
        case None:
            return ""
        case dict():
            content = "".join(_element(*item) for item in value.items() if not item[0].endswith("Timestamp"))
        case list():
            content = "".join(_element("member", item) for item in value)
        case bool():
            content = str(value).lower()
        case _:
            content = escape(str(value))
    return f"<{name}>{content}</{name}>"
