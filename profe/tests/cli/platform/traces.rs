//! A request leaves one trace, from the gateway's process to the service's.

use std::time::Instant;

use crate::collector::{Collector, Span};
use crate::support::{DEADLINE, Running, client, open_folder, profe};

use super::school::Up;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

#[test]
fn a_request_through_the_gateway_is_one_trace_with_the_services_part() {
    let collector = Collector::start();
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())];
    let traced = traced.each_ref().map(|(name, value)| (*name, value.as_str()));
    let up = Up::start_with(&traced);
    let services = up.said["services"].as_object().expect("services");
    // A gateway in a process of its own, before the same services.
    let folder = open_folder();
    let mut command = profe(folder.path());
    command.env("MIGRATION_SERVICE_LOG_LEVEL", "warn").envs(traced);
    for (name, url) in services.iter().filter(|(name, _)| *name != "api-gateway") {
        let url = url.as_str().expect("a URL");
        command.env(format!("API_GATEWAY_{}", name.replace('-', "_").to_ascii_uppercase()), url);
        if name == "auth-service" {
            command.env("AUTH_SERVICE_URL", url);
        }
    }
    let mut gateway = Running::start(&mut command, &["serve", "--only", "api-gateway", "--output", "json"]);
    let line = gateway.wait_for("\"ready\":true").pop().expect("a line");
    let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let door = said["platform"].as_str().expect("a front door");

    let token = up.school.token("docente1@escuela.example");
    let path = "/users/00000001-0001-4000-8000-000000000011";
    let ask = |path: &str, traceparent: Option<String>| {
        let mut request = client().get(format!("{door}{path}")).bearer_auth(&token);
        if let Some(traceparent) = traceparent {
            request = request.header("traceparent", traceparent).header("tracestate", "escuela=1");
        }
        let answer = request.send().expect("an answer");
        let place = answer.headers().get("traceparent").map(|place| place.to_str().expect("text").to_owned());
        (answer.status().as_u16(), place)
    };
    // Behind a gateway that has just begun its services may be a moment away.
    let until = Instant::now() + DEADLINE;
    while ask(path, None).0 != 200 {
        assert!(Instant::now() < until, "{path} is not answered");
    }
    let (status, place) = ask(path, Some(format!("00-{TRACE}-{PARENT}-01")));
    assert_eq!(status, 200);
    let (refused, own) = ask("/there/is/nothing", None);
    assert_eq!(refused, 404);
    assert_eq!(client().get(format!("{door}/health")).send().expect("an answer").headers().get("traceparent"), None);
    assert_eq!(gateway.interrupt().0.code(), Some(0));
    assert_eq!(up.stop().0, Some(0));

    let spans = collector.spans();
    let of = |trace: &str| -> Vec<&Span> { spans.iter().filter(|span| span.trace == trace).collect() };
    let of_gateway = |span: &&&Span| span.service == "api-gateway";
    let all = of(TRACE);
    let at_gateway = *all.iter().find(of_gateway).unwrap_or_else(|| panic!("{all:#?}"));
    assert_eq!((at_gateway.parent.as_str(), at_gateway.name.as_str()), (PARENT, "request"));
    assert_eq!(place, Some(format!("00-{TRACE}-{}-01", at_gateway.id)), "the answer says where it stands");
    let at_service = *all.iter().find(|span| span.service == "profe").unwrap_or_else(|| panic!("{all:#?}"));
    assert_eq!(at_service.parent, at_gateway.id, "{all:#?}");
    for (span, path) in [(at_gateway, format!("/api{path}")), (at_service, format!("/api{path}"))] {
        assert_eq!((&span.attributes["url.path"], &span.attributes["http.request.method"]), (&path, &"GET".to_owned()));
    }
    assert_eq!((at_gateway.attributes["server.address"].as_str(), all.len()), ("user-service", 2), "{all:#?}");
    // Who brings no trace begins one.
    let own = own.expect("it says where it stands");
    let own = of(own.split('-').nth(1).expect("a trace"));
    assert_eq!((own.len(), own[0].parent.as_str(), own[0].failed), (1, "", false), "{own:#?}");
}
