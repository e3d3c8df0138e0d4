//! nginx, the open one: it knows no Ed25519 tokens, so the services behind it are the only ones who believe any.

use std::fmt::{self, Write as _};

use http::Method;

use super::{escaped, per_minute, servers, word};
use crate::table::{Access, Rate, Route, Table};

const HEAD: &str = r#"# Made from gateway/routes.toml by `UPDATE_GATEWAY=1 cargo test -p gateway --test deploy`; do not edit.
#
# nginx in the place of the gateway. It routes, limits by address, retries, streams and lets WebSockets through as the gateway does.
# What it cannot do: believe access tokens (it asks only that there is one; every service believes tokens itself), limit by user,
# ask copies whether they are ready (it finds out by failing), verify webhooks (they are not routed), and /api/status.
# The pages that may call stand in the first map.

worker_processes auto;
events { worker_connections 4096; }

http {
    access_log off;
    server_tokens off;
    merge_slashes off;
    underscores_in_headers off;
    large_client_header_buffers 4 32k;
    client_header_timeout 15s;
    client_body_timeout 15s;
    keepalive_timeout 15s;

    map $http_origin $allowed_origin { default ""; "http://localhost:5173" $http_origin; }
    map $http_origin$allowed_origin $is_foreign { default 1; "" 0; "http://localhost:5173http://localhost:5173" 0; }
    map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
    # What could be read in two ways.
    map $request_uri $is_tricky { default 0; "~^[^?]*(//|;|\\|/\.\.?(/|\?|$)|%(0|1|2[ef5]|3b|5c|7f))" 1; "~*^[^?]*%(2[ef]|3b|5c|7f)" 1; }
"#;

const SERVER: &str = r#"
    server {
        listen 127.0.0.1:3000;
        proxy_http_version 1.1;
        proxy_buffering off;
        proxy_request_buffering off;
        proxy_connect_timeout 1s;
        # Never after something was sent, unless doing it twice is as doing it once.
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries 4;
        add_header Access-Control-Allow-Origin $allowed_origin always;
        add_header Access-Control-Allow-Methods "GET, POST, PUT, PATCH, DELETE" always;
        add_header Access-Control-Allow-Headers "authorization, content-type, accept-language, idempotency-key, if-match, if-none-match, last-event-id, traceparent, tracestate, x-request-id" always;
        add_header Vary Origin always;
        add_header Strict-Transport-Security "max-age=31536000" always;
        add_header X-Content-Type-Options nosniff always;

        if ($is_tricky) { return 400; }
        if ($is_foreign) { return 403; }
        if ($request_method !~ ^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$) { return 405; }
        if ($request_method = OPTIONS) { return 204; }
"#;

const TAIL: &str = r#"
        location = /health { default_type application/json; return 200 '{"status":"ok"}'; }
        location = /api/health { default_type application/json; return 200 '{"status":"ok"}'; }
        location / { return 404; }
    }
}
"#;

/// A configuration of nginx that serves the table.
pub fn nginx(table: &Table) -> String {
    let mut text = HEAD.to_owned();
    // Writing into a String cannot fail.
    let _ = write(&mut text, table);
    text
}

fn write(text: &mut String, table: &Table) -> fmt::Result {
    if let Some(rate) = table.client {
        zone(text, "client", "$binary_remote_addr", rate)?;
    }
    for route in &table.routes {
        let Some(rate) = route.limit else { continue };
        let name = word(&route.name);
        if route.methods.is_empty() {
            zone(text, &name, "$binary_remote_addr", rate)?;
        } else {
            let methods: Vec<_> = route.methods.iter().map(Method::as_str).collect();
            let counted =
                methods.iter().map(|method| format!("{method} $binary_remote_addr;")).collect::<Vec<_>>().join(" ");
            writeln!(text, "    map $request_method $of_{name} {{ default \"\"; {counted} }}")?;
            zone(text, &name, &format!("$of_{name}"), rate)?;
        }
    }
    text.push_str("    limit_req_status 429;\n");
    for (name, plan) in &table.upstreams {
        writeln!(text, "\n    upstream {name} {{\n        random two least_conn;")?;
        for (host, port) in servers(plan) {
            writeln!(text, "        server {host}:{port} max_fails=1 fail_timeout=5s;")?;
        }
        writeln!(text, "        keepalive 64;\n        keepalive_timeout 10s;\n    }}")?;
    }
    text.push_str(SERVER);
    set_headers(text, "        ")?;
    if let Some(rate) = table.client {
        writeln!(text, "        limit_req zone=client burst={} nodelay;", rate.burst)?;
    }
    for version in &table.versions {
        writeln!(text, "        rewrite ^{}(/.*)?$ /api$1;", escaped(version))?;
    }
    for (path, route) in table.in_order() {
        location(text, path, route, table)?;
    }
    text.push_str(TAIL);
    Ok(())
}

fn zone(text: &mut String, name: &str, key: &str, rate: Rate) -> fmt::Result {
    writeln!(text, "    limit_req_zone {key} zone={name}:10m rate={}r/m;", per_minute(rate))
}

fn location(text: &mut String, path: &str, route: &Route, table: &Table) -> fmt::Result {
    let below = if route.exact { "$" } else { "(/|$)" };
    writeln!(text, "\n        # {}\n        location ~ ^{}{below} {{", route.name, escaped(path))?;
    if route.access != Access::Public {
        writeln!(text, "            if ($http_authorization = \"\") {{ return 401; }}")?;
    }
    if let Some(to) = &route.to {
        writeln!(text, "            rewrite ^{}(.*)$ {to}$1 break;", escaped(path))?;
    }
    if let Some(rate) = route.limit {
        // A zone of its own takes the place of the server's, so that is named again.
        if let Some(client) = table.client {
            writeln!(text, "            limit_req zone=client burst={} nodelay;", client.burst)?;
        }
        writeln!(text, "            limit_req zone={} burst={} nodelay;", word(&route.name), rate.burst)?;
    }
    writeln!(text, "            client_max_body_size {};", route.body_limit)?;
    writeln!(text, "            proxy_read_timeout {}s;", route.timeout.as_secs())?;
    if route.upgrade {
        // A location that sets one header sets all.
        writeln!(text, "            proxy_set_header Upgrade $http_upgrade;")?;
        set_headers(text, "            ")?;
    }
    writeln!(text, "            proxy_pass http://{};\n        }}", route.upstream)
}

fn set_headers(text: &mut String, indent: &str) -> fmt::Result {
    HEADERS.iter().try_for_each(|(name, value)| writeln!(text, "{indent}proxy_set_header {name} {value};"))
}

/// What services are told, and what nobody outside may tell them.
const HEADERS: [(&str, &str); 14] = [
    ("Host", "$proxy_host"),
    ("Connection", "$connection_upgrade"),
    ("X-Forwarded-For", "$remote_addr"),
    ("X-Forwarded-Proto", "$scheme"),
    ("X-Forwarded-Host", "$http_host"),
    ("X-Request-Id", "$request_id"),
    ("Forwarded", "\"\""),
    ("Origin", "\"\""),
    ("X-Real-IP", "\"\""),
    ("X-User-Id", "\"\""),
    ("X-User-Role", "\"\""),
    ("X-Role", "\"\""),
    ("X-Roles", "\"\""),
    ("X-Organization-Id", "\"\""),
];
