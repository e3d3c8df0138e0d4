"""Figures as Markdown tables, for the screen and for docs/benchmarks.md."""

import datetime
import os
import re
import statistics

BEGIN, END = "<!-- figures: written by benches/run -->", "<!-- end of figures -->"


def machine():
    def first(path, pattern):
        with open(path) as file:
            found = re.search(pattern, file.read(), re.M)
        return found.group(1).strip() if found else "unknown"
    memory = round(int(first("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 1024 / 1024)
    system = first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)')
    return f"{os.cpu_count()} cores, {memory} GB, {system}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def ms(value):
    return "–" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio(value, base):
    return "–" if value is None or not base else f"{value / base:.2f}"


def applying(part, title, base_key="limit", what="applying"):
    """One table of a set; the limit is what the others are compared with."""
    rows, base = part["rows"], next((r for r in part["rows"] if r["key"] == base_key and "wall_ms" in r), {})
    out = []
    for row in rows:
        if "absent" in row:
            out.append([row["name"], row["absent"], "", "", "", "", ""])
            continue
        fastest = [min(r["applyings_ms"]) if "applyings_ms" in r else None for r in (row, base)]
        out.append([row["name"], ms(row.get("applying_ms")), ratio(row.get("applying_ms"), base.get("applying_ms")), ratio(*fastest),
                    ms(row["wall_ms"]), ratio(row["wall_ms"], base.get("wall_ms")), ms(row["cpu_ms"])])
    head = [title, f"{what}, ms", "ratio", "ratio of the fastest", "whole process, ms", "ratio", "its processor, ms"]
    return table(head, out)


def memory(results):
    """Peak resident size by contestant and set, from the runs that were timed."""
    columns = [(p["title"], p["rows"]) for p in results.get("apply", {}).values()]
    if "nothing" in results:
        columns.append((f"nothing pending on {results['nothing']['title']}", results["nothing"]["rows"]))
    names = {}
    for _, rows in columns:
        names.update({r["key"]: r["name"] for r in rows if "rss_mib" in r})
    size = lambda rows, key: next((f"{r['rss_mib']:.1f}" for r in rows if r["key"] == key and "rss_mib" in r), "–")
    return table(["peak resident size, MiB"] + [title for title, _ in columns],
                 [[name] + [size(rows, key) for _, rows in columns] for key, name in names.items()])


# The parts' sections, by how their headings begin.
HEADINGS = {"apply": "Applying, fsync on", "nosync": "Applying, fsync off", "nothing": "Nothing pending", "rollback": "Rolling back",
            "count": "Counted", "prove": "Proving", "clone": "A cloned", "metrics": "A scrape", "overview": "The dashboard's overview",
            "fleet": "A fleet", "backfill": "A backfill", "listeners": "Listeners", "tenant": "A read under", "login": "Signing in",
            "users": "A list of a large school", "peer": "Beside FastAPI", "gateway": "The gateway"}


def told(results, heading):
    """When and where the part of this heading was measured."""
    part = next((part for part, begin in HEADINGS.items() if heading.startswith(begin)), None)
    run = results.get("runs", {}).get(part)
    return run and (f"Measured {run['date']}: {run['machine']}, PostgreSQL {run['server'].split(' ')[0]}, {run['rounds']} rounds; load of the "
                    f"machine over the five minutes before the end {run['load']}, of which the benchmark makes about 1.")


def figures(results):
    """The sections of what is in the results, each with the line that says when it was measured."""
    sections = re.split(r"^### ", measured(results), flags=re.M)[1:]
    said = ((section.strip(), told(results, section)) for section in sections)
    return "\n\n".join("### " + "\n\n".join(filter(None, lines)) for lines in said)


def measured(results):
    out = []
    if "apply" in results:
        out.append("### Applying, fsync on")
        out += [applying(part, part["title"]) for part in results["apply"].values()]
    if "nosync" in results:
        out.append("### Applying, fsync off")
        out += [applying(part, part["title"]) for part in results["nosync"].values()]
    if "nothing" in results:
        part = results["nothing"]
        out.append(f"### Nothing pending, {part['title']}")
        base = part["rows"][0]
        out.append(table(["", "whole process, ms", "ratio", "ratio of the fastest", "its processor, ms"],
                         [[r["name"], ms(r["wall_ms"]), ratio(r["wall_ms"], base["wall_ms"]),
                           ratio(min(r["walls_ms"]), min(base["walls_ms"])), ms(r["cpu_ms"])] for r in part["rows"]]))
    if "rollback" in results:
        part = results["rollback"]
        out += [f"### Rolling back, {part['title']}", applying(part, part["title"], what="taking back")]
    if "apply" in results or "nothing" in results:
        out += ["### Memory", memory(results)]
    if "count" in results:
        out.append("### Counted for each further migration")
        rows = []
        for r in results["count"]:
            if "absent" in r:
                rows.append([r["name"], r["absent"], "", "", ""])
                continue
            each = r["each"]
            extended = sum(each.get(kind, 0) for kind in "PBDEC")
            rows.append([r["name"], f"{each['turnarounds']:.2f}", f"{each['flushes']:.2f}", f"{each.get('Q', 0):.2f}", f"{extended:.2f}"])
        out.append(table(["", "round trips", "WAL flushes", "simple queries", "extended messages"], rows))
    if "prove" in results:
        out.append("### Proving: every gate, with rehearsal")
        out.append("The whole set from an empty database on; the median of three, each migration walked up, down and up again with the "
                   "schema compared after each leg.")
        out.append(table(["set", "migrations", "whole, s", "median of a migration, ms", "slowest, ms"],
                         [[p["title"], str(p["migrations"]), f"{p['total_ms'] / 1000:.1f}", ms(p["median_ms"]), ms(p["slowest_ms"])]
                          for p in results["prove"]]))
    if "clone" in results:
        c = results["clone"]
        out.append("### A cloned, migrated database")
        out.append(f"{c['count']} clones of the platform's database, each with a connection of its own: median {ms(c['median_ms'])} ms, "
                   f"nine in ten under {ms(c['p90_ms'])} ms, {ms(c['least_ms'])} to {ms(c['most_ms'])} ms.")
    if "metrics" in results:
        m = results["metrics"]
        out.append("### A scrape of /metrics")
        out.append(f"Not measured: {m['absent']}." if "absent" in m else
                   f"{m['services']} services on {m['environments']} environments, {m['series']:,} series, {m['kib']:,.0f} KiB, "
                   f"{m['scrapes']} scrapes over a new connection each while every target is looked at once a second, {m['binary']} "
                   f"build: median {ms(m['median_ms'])} ms, 99 in 100 under {ms(m['p99_ms'])} ms.")
    if "overview" in results:
        o = results["overview"]
        out.append("### The dashboard's overview, cold")
        out.append(f"Not measured: {o['absent']}." if "absent" in o else
                   f"{o['services']} services in {o['environments']} environments, {o['loads']} loads of a headless Chromium each with nothing "
                   f"kept, {o['binary']} build: first paint with content after {ms(o['paint_ms'])} ms (at worst {ms(o['paint_worst_ms'])}), "
                   f"the rows after {ms(o['rows_ms'])} ms (at worst {ms(o['rows_worst_ms'])}); {o['kb']:,.0f} kB in {o['requests']} requests, "
                   f"the API's answers among them.")
    if "fleet" in results:
        f = results["fleet"]
        out.append("### A fleet")
        out.append(f"{f['databases']:,} small databases on two servers, one migration forward, {f['sessions']} at once on each: "
                   f"{statistics.median(f['profe_s']):.1f} s, the same DDL by as many libpq sessions in the same databases "
                   f"{statistics.median(f['limit_s']):.1f} s, ratio {f['ratio']:.2f} (limit 1.3). The audit of these databases writes down what the "
                   f"sessions do as well; with its triggers switched off they take {statistics.median(f['spared_s']):.1f} s, ratio {f['spared_ratio']:.2f}.")
    if "backfill" in results:
        b = results["backfill"]
        waits = lambda w: f"p50 {ms(w['p50_ms'])}, p99 {ms(w['p99_ms'])}, p99.9 {ms(w['p999_ms'])}, at most {ms(w['max_ms'])} ms"
        out.append("### A backfill")
        out.append(f"{b['rows']:,} rows, the whole run with its check and contract: {statistics.median(b['backfill_s']):.1f} s, one UPDATE of the whole table "
                   f"{statistics.median(b['update_s']):.1f} s, ratio {b['ratio']:.2f} (limit 1.5), at an idle server. Beside {b['clients']} writers with "
                   f"{b['rate']} transactions a second it takes {b['beside']['took_s']:.1f} s; a write waits {waits(b['beside'])}; without a "
                   f"backfill {waits(b['alone'])}. The lock budget is {b['budget_ms']:,} ms.")
    if "listeners" in results:
        e = results["listeners"]
        out.append("### Listeners on the event stream")
        out.append(f"Not measured: {e['absent']}." if "absent" in e else
                   f"{e['listeners']:,} listeners, {e['rounds']} times two runs between two alone, of {e['migrations']} migrations with {e['tables']} tables each, "
                   f"each of {e['events']:,} events sent to each ({e['sent_mib']:,.0f} MiB a run), {e['binary']} build: a run takes "
                   f"{ms(e['watched_ms'])} ms, without listeners {ms(e['alone_ms'])} ms. These fours differ by {e['delay_percent']:+.1f} % at the "
                   f"median, {e['delay_mean_percent']:+.1f} ± {e['delay_error_percent']:.1f} % on average; the last listener has heard all of it "
                   f"{e['late_s']:.1f} s after the end, and {e['ended']} of them were sent away. The service's peak is {e['watched_peak_mib']:.0f} "
                   f"MiB, {e['cost_mib']:.0f} MiB more than without listeners; its processor time {e['processor_watched_s']:.2f} s against "
                   f"{e['processor_alone_s']:.2f} s.")
    if "tenant" in results:
        t = results["tenant"]
        out.append("### A read under row level security")
        out.append(f"One row by its id, {t['clients']} clients, medians of {t['rounds']} turns of five seconds: by the data door of services, as its "
                   f"caller, {t['guarded_per_s']:,} a second (p50 {t['p50_us']:.0f} µs, p99 {t['p99_us']:,.0f} µs); pgbench's plain prepared "
                   f"select without policies {t['plain_per_s']:,}; ratio {t['ratio']:.2f} (at least 0.60).")
    if "peer" in results:
        out.append("### Beside FastAPI with asyncpg")
        out += peer(results["peer"])
    if "login" in results:
        s = results["login"]
        out.append("### Signing in")
        out.append(f"Over HTTP, one client, medians of {s['rounds']} processes with {s['times']} sign-ins each: p50 {s['login_p50_ms']:.1f} ms, p99 "
                   f"{s['login_p99_ms']:.1f}; the hash alone, in turn with them, p50 {s['hash_p50_ms']:.1f} ms; ratio {s['ratio']:.2f} (at most 1.30).")
    if "users" in results:
        u = results["users"]
        each = lambda name: f"p50 {u[name]['p50_us'] / 1000:.1f} ms, p99 {u[name]['p99_us'] / 1000:.1f} ms"  # noqa: E731
        out.append("### A list of a large school")
        out.append(f"The user service over HTTP with {u['people']:,} people of one school, under the policies, {u['clients']} clients on the same processors: "
                   f"the first 20 active students {each('first')} (p99 at most 20), 20 from the middle on {each('deep')}, a search for two words "
                   f"{each('search')}, for the beginning of a common one {each('typed')}.")
    if "gateway" in results:
        g = results["gateway"]
        out.append("### The gateway beside nginx")
        out.append(f"1 KiB of one service, {g['connections']} connections, medians of {g['rounds']} turns of four seconds, everything on the same "
                   f"processors: straight {g['per_s']['direct']:,} a second, by nginx {g['per_s']['nginx']:,}, by the gateway {g['per_s']['ours']:,}, which "
                   f"believes a token for each; ratio of the turns {g['ratio']:.2f} (at least 0.85). With one connection, p50: the gateway adds "
                   f"{g['added_p50_us']['ours']} µs (at most 1,000), nginx {g['added_p50_us']['nginx']}. Resident {g['resident_mib']['ours']:.0f} MiB "
                   f"and {g['resident_mib']['nginx']:.0f}.")
    if "backup" in results:
        out += backup(results["backup"])
    return "\n\n".join(out)


def peer(part):
    """The user service and the same three endpoints in FastAPI."""
    if "absent" in part:
        return [f"Not measured: {part['absent']}."]
    titles = {"read": "a person by id", "list": "20 students, filtered", "write": "the own profile changed"}
    rows = [[titles[kind], f"{part['per_s']['ours'][kind]:,}", f"{part['per_s']['fastapi'][kind]:,}", f"{part['ratio'][kind]:.1f}",
             f"{part['p50_ms']['ours'][kind]:.1f}", f"{part['p50_ms']['fastapi'][kind]:.1f}"] for kind in titles]
    memory = part["memory_mib"]
    return [f"One school of {part['people']:,} people, {part['connections']} connections, medians of {part['rounds']} turns of four seconds; the user service is "
            f"one process of at most {memory['ours']:.0f} MiB, FastAPI two workers and their parent of {memory['fastapi']:.0f} MiB (proportional shares): "
            f"{part['memory_ratio']:.2f} of it (at most 0.20).",
            table(["", "the user service, a second", "FastAPI, a second", "ratio (at least 5)", "p50, ms", "FastAPI's, ms"], rows)]


TITLES = {"one": "one big table (pgbench, scale 130)", "many": "forty tables of mixed text"}


def backup(part):
    """Dumps and restores; what they are compared with has the ratio 1."""
    out = ["### Backups", f"Measured {part['date']}, medians of {part['rounds']} rounds, load of the machine over the last minutes {part['load']}."]
    for done, head in (("dumps", "dumping"), ("restores", "restoring")):
        for measured in part[done]:
            rows, base = measured["rows"], next(r for r in measured["rows"] if r["base"])
            total = lambda row: row["cpu_ms"] + row["server_ms"]
            sizes = done == "dumps"
            out.append(table([f"{head} {TITLES[measured['database']]}", "wall, s", "ratio", "ratio of the fastest", "processor, s", "of that the server's", "ratio"]
                             + (["output, MB"] if sizes else []),
                             [[r["name"], seconds(r["wall_ms"]), ratio(r["wall_ms"], base["wall_ms"]), ratio(min(r["walls_ms"]), min(base["walls_ms"])),
                               seconds(total(r)), seconds(r["server_ms"]), ratio(total(r), total(base))]
                              + ([f"{r['bytes'] / 1e6:,.0f}"] if sizes else []) for r in rows]))
    sizes = [(f"{head} {TITLES[m['database']]}", max(r["own_mib"] or 0 for r in m["rows"]))
             for done, head in (("dumps", "dumping"), ("restores", "restoring")) for m in part[done]]
    sizes += [("dumping six values of 100 MB", part["memory"]["dump_mib"]), ("restoring them", part["memory"]["restore_mib"])]
    out.append(table(["peak resident size of profe itself", "MiB"], [[name, f"{mib:.0f}"] for name, mib in sizes]))
    return out


def seconds(milliseconds):
    return f"{milliseconds / 1000:.1f}"


def merged(kept, new):
    """The sections of `kept` with those of `new` in their place; what was not there stands after what it follows in `new`."""
    split = lambda text: {part.split("\n", 1)[0]: f"### {part.strip()}" for part in re.split(r"^### ", text, flags=re.M)[1:]}  # noqa: E731
    old, fresh = split(kept), split(new)
    order = list(old)
    before = None
    for heading in fresh:
        if heading not in order:
            order.insert(order.index(before) + 1 if before else 0, heading)
        before = heading
    return "\n\n".join((old | fresh)[heading] for heading in order)


def write(root, results):
    """Puts the sections of these results in the place of their last ones; the others stay as they are."""
    path = os.path.join(root, "docs/benchmarks.md")
    with open(path) as file:
        text = file.read()
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{path} lacks the lines {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    kept, after = rest.split(END, 1)
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{merged(kept, figures(results))}\n\n{END}{after}")
