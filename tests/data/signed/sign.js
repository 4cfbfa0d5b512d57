// Signs deliveries with Twilio's own helper library for Node: `npm install twilio@6.2.0`, then
// `node sign.js > node.json`.
const { getExpectedTwilioSignature, getExpectedBodyHash } = require("twilio");
const querystring = require("querystring");

const TOKEN = "00112233445566778899aabbccddeeff";
const URL_BASE = "https://ops.example.com";
const sid = (number) => "NO" + number.toString(16).padStart(32, "0");

function form(number) {
  const payload = {
    error_code: "51007",
    more_info: { Msg: "Client Connection: Token authentication is rejected \u2013 \u00e4 & = + %" },
    webhook: { type: "application/json", request: { method: "POST", parameters: { "a'b": "(x)*~!" } } },
  };
  return {
    Sid: sid(number),
    AccountSid: "AC0123456789abcdef0123456789abcdef",
    ParentAccountSid: "",
    Timestamp: "2026-11-24T02:30:01Z",
    Level: "ERROR",
    PayloadType: "application/json",
    Payload: JSON.stringify(payload),
  };
}

function signedForm(name, url, fields) {
  const headers = {
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    "X-Twilio-Signature": getExpectedTwilioSignature(TOKEN, url, fields),
  };
  return { name, path: "/" + url.split("/").slice(3).join("/"), headers, body: querystring.stringify(fields) };
}

function signedJson(name, url, value) {
  const body = JSON.stringify(value);
  url += "?bodySHA256=" + getExpectedBodyHash(body);
  const headers = { "Content-Type": "application/json", "X-Twilio-Signature": getExpectedTwilioSignature(TOKEN, url, null) };
  return { name, path: "/" + url.split("/").slice(3).join("/"), headers, body };
}

const event = (number) => ({
  specversion: "1.0",
  type: "com.twilio.error-logs.error.logged",
  id: sid(number),
  time: "2026-11-24T02:30:11Z",
  data: { sid: sid(number), level: "ERROR", error_code: "51007", payload: JSON.stringify({ error_code: 51007 }) },
});

console.log(
  JSON.stringify(
    [
      signedForm("form", URL_BASE + "/twilio/debugger", form(101)),
      signedForm("form, URL with its default port", URL_BASE + ":443/twilio/debugger", form(102)),
      signedForm("form, URL with a query", URL_BASE + "/twilio/debugger?x=%2F", form(103)),
      signedJson("one event", URL_BASE + "/twilio/events", event(104)),
      signedJson("a batch", URL_BASE + "/twilio/events", [event(105), event(106)]),
    ],
    null,
    1,
  ),
);
