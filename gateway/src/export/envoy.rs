//! Envoy: it believes tokens by the same published keys; sessions that were ended it does not know, the services do.

use std::fmt::{self, Write as _};

use http::Method;
use identity::Terms;

use super::{escaped, per_minute, servers};
use crate::table::{Access, Rate, Route, Table};

const HEAD: &str = r#"# Made from gateway/routes.toml by `UPDATE_GATEWAY=1 cargo test -p gateway --test deploy`; do not edit.
#
# Envoy in the place of the gateway. It routes, believes access tokens, limits, balances (least requests among two random), checks
# health actively and passively, retries, streams and lets WebSockets through as the gateway does.
# What it cannot do without code: refuse sessions that were ended before their tokens are over (every service does that itself),
# limit by user, verify webhooks (they are not routed), and /api/status. The pages that may call stand under `cors`.

admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }
static_resources:
  listeners:
  - name: public
    address: { socket_address: { address: 127.0.0.1, port_value: 3000 } }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: gateway
          use_remote_address: true
          xff_num_trusted_hops: 0
          normalize_path: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          max_request_headers_kb: 32
          request_headers_timeout: 15s
          stream_idle_timeout: 0s
          drain_timeout: 8s
          server_header_transformation: PASS_THROUGH
          common_http_protocol_options: { headers_with_underscores_action: REJECT_REQUEST, idle_timeout: 15s }
          http_filters:
          - name: envoy.filters.http.cors
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors }
          - name: envoy.filters.http.local_ratelimit
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, stat_prefix: limits }
          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                auth:
"#;

const ROUTES: &str = r#"          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            name: inventory
            request_headers_to_remove: [forwarded, x-real-ip, x-user-id, x-user-role, x-role, x-roles, x-organization-id, origin]
            response_headers_to_add:
            - { header: { key: strict-transport-security, value: max-age=31536000 } }
            - { header: { key: x-content-type-options, value: nosniff } }
            virtual_hosts:
            - name: all
              domains: ["*"]
              typed_per_filter_config:
                envoy.filters.http.cors:
                  "@type": type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy
                  allow_origin_string_match: [{ exact: "http://localhost:5173" }]
                  allow_methods: "GET, POST, PUT, PATCH, DELETE"
                  allow_headers: "authorization, content-type, accept-language, idempotency-key, if-match, if-none-match, last-event-id, traceparent, tracestate, x-request-id"
                  max_age: "600"
              retry_policy: { retry_on: "connect-failure,refused-stream", num_retries: 3, host_selection_retry_max_attempts: 3 }
              routes:
              - { match: { path: /health }, direct_response: { status: 200, body: { inline_string: '{"status":"ok"}' } } }
              - { match: { path: /api/health }, direct_response: { status: 200, body: { inline_string: '{"status":"ok"}' } } }
"#;

/// A configuration of Envoy that serves the table.
pub fn envoy(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    // Writing into a String cannot fail.
    let _ = write(&mut text, table);
    text
}

fn write(text: &mut String, table: &Table) -> fmt::Result {
    writeln!(
        text,
        "                  issuer: \"{}\"\n                  audiences: [\"{}\"]",
        Terms::ISSUER,
        Terms::AUDIENCE
    )?;
    writeln!(
        text,
        "                  forward: true\n                  clock_skew_seconds: 30\n                  remote_jwks:"
    )?;
    let keys = format!("{}/.well-known/jwks.json", Terms::ISSUER);
    writeln!(text, "                    http_uri: {{ uri: \"{keys}\", cluster: auth-service, timeout: 4s }}")?;
    writeln!(text, "                    cache_duration: 3600s\n              requirement_map:")?;
    writeln!(text, "                signed_in: {{ provider_name: auth }}")?;
    writeln!(
        text,
        "                public: {{ requires_any: {{ requirements: [{{ provider_name: auth }}, {{ allow_missing: {{}} }}] }} }}"
    )?;
    text.push_str(ROUTES);
    for (path, route) in table.in_order() {
        let prefixes = std::iter::once("/api").chain(table.versions.iter().map(String::as_str));
        for prefix in prefixes {
            self::route(text, path, prefix, route)?;
        }
    }
    text.push_str("  clusters:\n");
    for (name, plan) in &table.upstreams {
        writeln!(text, "  - name: {name}\n    type: STRICT_DNS\n    respect_dns_ttl: true\n    connect_timeout: 1s")?;
        writeln!(text, "    lb_policy: LEAST_REQUEST\n    least_request_lb_config: {{ choice_count: 2 }}")?;
        writeln!(
            text,
            "    health_checks: [{{ timeout: 2s, interval: 5s, unhealthy_threshold: 1, healthy_threshold: 1, http_health_check: {{ path: {} }} }}]",
            plan.health
        )?;
        writeln!(
            text,
            "    outlier_detection: {{ consecutive_local_origin_failure: 1, split_external_local_origin_errors: true, base_ejection_time: 5s }}"
        )?;
        writeln!(text, "    load_assignment:\n      cluster_name: {name}\n      endpoints:\n      - lb_endpoints:")?;
        for (host, port) in servers(plan) {
            writeln!(
                text,
                "        - endpoint: {{ address: {{ socket_address: {{ address: \"{host}\", port_value: {port} }} }} }}"
            )?;
        }
    }
    Ok(())
}

fn route(text: &mut String, path: &str, prefix: &str, route: &Route) -> fmt::Result {
    let rest = path.strip_prefix("/api").unwrap_or(path);
    let served = format!("{prefix}{rest}");
    let matched = if route.exact {
        format!("path: {served}")
    } else {
        // Whole segments.
        format!("path_separated_prefix: {served}")
    };
    let methods = match route.methods.as_slice() {
        [] => String::new(),
        methods => {
            let words: Vec<_> = methods.iter().map(Method::as_str).collect();
            format!(
                ", headers: [{{ name: \":method\", string_match: {{ safe_regex: {{ regex: \"{}\" }} }} }}]",
                words.join("|")
            )
        }
    };
    writeln!(text, "              # {}", route.name)?;
    writeln!(text, "              - match: {{ {matched}{methods} }}")?;
    let to = route.to.clone().unwrap_or_else(|| path.to_owned());
    let rewrite = match (to == served, route.exact) {
        (true, _) => String::new(),
        (false, _) => {
            format!(", regex_rewrite: {{ pattern: {{ regex: \"^{}\" }}, substitution: \"{to}\" }}", escaped(&served))
        }
    };
    let upgrade = if route.upgrade { ", upgrade_configs: [{ upgrade_type: websocket }]" } else { "" };
    // As long as an answer takes to begin; streams have no end.
    writeln!(
        text,
        "                route: {{ cluster: {}, timeout: 0s, idle_timeout: {}s{rewrite}{upgrade} }}",
        route.upstream,
        route.timeout.as_secs().max(3600)
    )?;
    text.push_str("                typed_per_filter_config:\n");
    let requirement = match route.access {
        Access::SignedIn => "requirement_name: signed_in",
        Access::Public => "requirement_name: public",
        Access::Own => "disabled: true",
    };
    writeln!(
        text,
        "                  envoy.filters.http.jwt_authn: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig, {requirement} }}"
    )?;
    if let Some(rate) = route.limit {
        limit(text, &route.name, rate)?;
    }
    Ok(())
}

/// Counted for all clients of the route together, which is what a bucket in Envoy's own process can do.
fn limit(text: &mut String, name: &str, rate: Rate) -> fmt::Result {
    let per_minute = per_minute(rate);
    writeln!(text, "                  envoy.filters.http.local_ratelimit:")?;
    writeln!(
        text,
        "                    \"@type\": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    )?;
    writeln!(text, "                    stat_prefix: {name}")?;
    let tokens = format!(
        "max_tokens: {}, tokens_per_fill: {}, fill_interval: 60s",
        per_minute.max(rate.burst) * 100,
        per_minute * 100
    );
    writeln!(text, "                    token_bucket: {{ {tokens} }}")?;
    writeln!(text, "                    filter_enabled: {{ default_value: {{ numerator: 100 }} }}")?;
    writeln!(text, "                    filter_enforced: {{ default_value: {{ numerator: 100 }} }}")
}
