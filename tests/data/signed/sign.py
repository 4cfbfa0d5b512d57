"""Signs deliveries with Twilio's own helper library for Python: `pip install twilio==9.13.0`, then
`python3 sign.py > python.json`."""
import json
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

TOKEN, SHARED = "00112233445566778899aabbccddeeff", "SyntheticSharedKeyNotReal0000001"
URL = "https://ops.example.com"


def form(number, **changes):
    payload = {
        "resource_sid": "IS00000000000000000000000000000001",
        "service_sid": None,
        "error_code": "51007",
        "more_info": {"Msg": "Client Connection: Token authentication is rejected \u2013 \u00e4 & = + %", "ErrorCode": "51007"},
    }
    fields = {
        "AccountSid": "AC0123456789abcdef0123456789abcdef",
        "Level": "ERROR",
        "ParentAccountSid": "",
        "Payload": json.dumps(payload, ensure_ascii=False),
        "PayloadType": "application/json",
        "Sid": "NO%032x" % number,
        "Timestamp": "2026-11-24T02:30:01Z",
    }
    return {**fields, **changes}


def event(number, code="51007", level="ERROR"):
    sid = "NO%032x" % number
    data = {"sid": sid, "account_sid": "AC0123456789abcdef0123456789abcdef", "date_created": "2026-11-24T02:30:11.000Z",
            "level": level, "product_name": "Conversations", "error_code": code,
            "payload": json.dumps({"error_code": int(code), "message": "Client Connection: Token authentication is rejected"})}
    return {"specversion": "1.0", "type": "com.twilio.error-logs.error.logged", "source": "/v1/error-logs", "id": sid,
            "time": "2026-11-24T02:30:11.000Z", "dataschema": "https://events-schemas.twilio.com/ErrorLogs.Error/2",
            "datacontenttype": "application/json", "data": data}


def signed_form(name, url, fields, secret=TOKEN, algorithm=None):
    signature = RequestValidator(secret).compute_signature(url, fields, algorithm)
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "X-Twilio-Signature": signature}
    if algorithm:
        headers["X-Twilio-Webhooks-Signature-Settings"] = "key=webhooks_sharedkey_1,algorithm=" + algorithm
    path = "/" + url.split("/", 3)[3]
    return {"name": name, "path": path, "headers": headers, "body": urlencode(fields)}


def signed_json(name, url, value, secret=TOKEN, algorithm=None):
    body = json.dumps(value)
    validator = RequestValidator(secret)
    url += "?bodySHA256=" + validator.compute_hash(body)
    headers = {"Content-Type": "application/json", "X-Twilio-Signature": validator.compute_signature(url, {}, algorithm)}
    if algorithm:
        headers["X-Twilio-Webhooks-Signature-Settings"] = "key=webhooks_sharedkey_1,algorithm=" + algorithm
    return {"name": name, "path": "/" + url.split("/", 3)[3], "headers": headers, "body": body}


print(json.dumps([
    signed_form("form", URL + "/twilio/debugger", form(1)),
    signed_form("form, URL with its default port", URL + ":443/twilio/debugger", form(2)),
    signed_form("form, URL with a query", URL + "/twilio/debugger?a=1&b=%20x", form(3)),
    signed_form("form, SHA-256", URL + "/twilio/debugger", form(4), SHARED, "HMAC_SHA256"),
    signed_json("one event", URL + "/twilio/events", event(5)),
    signed_json("a batch", URL + "/twilio/events", [event(6), event(7), event(8, "11200"), event(9, "51007", "INFO")]),
    signed_json("one event, SHA-256", URL + "/twilio/events", event(10), SHARED, "HMAC_SHA256"),
    signed_json("one event, URL with its default port", URL + ":443/twilio/events", event(11)),
], indent=1))
